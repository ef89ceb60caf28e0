//! The routes of the application, from the one place that lists them: the
//! router of cargo-lambda in the workspace's `Cargo.toml`.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use toml::Value;

/// Requests with this method and path go to this function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `None`: every method.
    pub method: Option<String>,
    /// As cargo-lambda writes it: `{*path}` stands for all that follows.
    pub path: String,
    /// Name of the package, of the binary and in Lambda.
    pub function: String,
}

/// Reads the routes of the clone at `root`, except those of the stand-in for
/// Clerk.
///
/// # Errors
/// If `Cargo.toml` cannot be read or has no router.
pub fn read(root: &Path) -> anyhow::Result<Vec<Route>> {
    parse(&fs::read_to_string(root.join("Cargo.toml"))?).context("the router in Cargo.toml")
}

fn parse(manifest: &str) -> anyhow::Result<Vec<Route>> {
    let manifest: Value = toml::from_str(manifest)?;
    let router = ["workspace", "metadata", "lambda", "watch", "router"]
        .iter()
        .try_fold(&manifest, |table, name| table.get(name))
        .and_then(Value::as_table)
        .context("is missing")?;
    let mut routes = Vec::new();
    for (path, target) in router
        .iter()
        .filter(|(path, _)| !path.starts_with("/__clerk/"))
    {
        let listed = target.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value, name| Some(value.get(name)?.as_str()?.to_owned());
        let mut methods: Vec<_> = listed
            .iter()
            .map(|entry| Some((Some(text(entry, "method")?), text(entry, "function")?)))
            .collect::<Option<_>>()
            .with_context(|| format!("{path} needs method and function"))?;
        methods.extend(target.as_str().map(|function| (None, function.to_owned())));
        ensure!(!methods.is_empty(), "{path} names no function");
        routes.extend(methods.into_iter().map(|(method, function)| Route {
            method,
            path: path.clone(),
            function,
        }));
    }
    Ok(routes)
}

/// Each function's first route: the functions there are, and how to reach them.
#[must_use]
pub fn first_of_each_function(routes: &[Route]) -> Vec<&Route> {
    let mut first: Vec<&Route> = Vec::new();
    for route in routes {
        if first.iter().all(|known| known.function != route.function) {
            first.push(route);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clone_has_routes_for_every_folder_of_functions() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let routes = read(&root).unwrap();
        let mut functions: Vec<_> = first_of_each_function(&routes)
            .iter()
            .map(|route| route.function.clone())
            .collect();
        functions.sort_unstable();
        let mut folders: Vec<_> = fs::read_dir(root.join("functions"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        folders.sort_unstable();
        assert_eq!(functions, folders);
    }

    #[test]
    fn a_path_has_one_function_or_one_for_each_method() {
        let manifest = r#"
            [workspace.metadata.lambda.watch.router]
            "/" = "page"
            "/a" = [{ method = "GET", function = "get" }, { method = "PUT", function = "put" }]
            "/__clerk/{*path}" = "stand-in"
        "#;
        let route = |method: Option<&str>, path: &str, function: &str| Route {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            function: function.to_owned(),
        };
        assert_eq!(
            parse(manifest).unwrap(),
            [
                route(None, "/", "page"),
                route(Some("GET"), "/a", "get"),
                route(Some("PUT"), "/a", "put"),
            ]
        );
    }

    #[test]
    fn a_router_that_cannot_be_read_is_named() {
        for (manifest, words) in [
            ("", "is missing"),
            (
                "[workspace.metadata.lambda.watch.router]\n\"/\" = 1",
                "/ names no function",
            ),
            (
                "[workspace.metadata.lambda.watch.router]\n\"/\" = [{ method = \"GET\" }]",
                "/ needs method and function",
            ),
        ] {
            let error = parse(manifest).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
