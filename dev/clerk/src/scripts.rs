//! clerk-js and its components, from the packages that npm installed.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use http::{
    StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL},
};

use crate::web::{self, Response};

/// `GET /npm/@clerk/{package}@{version}/dist/{file}`. Any version of the right
/// major is answered with the one that is installed.
pub(crate) fn respond(node_modules: &Path, package: &str, file: &str) -> anyhow::Result<Response> {
    let is_script = file.ends_with(".js") && !file.contains('/');
    let Some(package) = package_name(package).filter(|_| is_script) else {
        return Ok(not_found());
    };
    let dist = node_modules.join("@clerk").join(package).join("dist");
    let script = match fs::read(dist.join(file)) {
        Ok(script) => script,
        Err(error) if error.kind() == io::ErrorKind::NotFound && dist.is_dir() => {
            return Ok(not_found());
        }
        Err(error) => {
            return Err(error).with_context(|| {
                let dist = dist.display();
                format!("{dist}/{file} cannot be read; run npm ci --ignore-scripts in dev/npm")
            });
        }
    };
    let mut response = web::body("text/javascript; charset=utf-8", script);
    web::set(&mut response, ACCESS_CONTROL_ALLOW_ORIGIN, "*")?;
    // Chunks have a hash and the version in their names, entry points do not.
    let caching = if file.contains('_') {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    web::set(&mut response, CACHE_CONTROL, caching)?;
    Ok(response)
}

/// The package in `clerk-js@6.40.0` or `ui@1`.
fn package_name(versioned: &str) -> Option<&str> {
    let (name, version) = versioned.split_once('@')?;
    let major = match name {
        "clerk-js" => "6",
        "ui" => "1",
        _ => return None,
    };
    let mut parts = version.split('.');
    let is_known = parts.next() == Some(major) && parts.all(|part| part.parse::<u32>().is_ok());
    is_known.then_some(name)
}

fn not_found() -> Response {
    web::error(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "the installed version has no such script",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(package: &str, file: &str) -> u16 {
        let modules = tempfile::tempdir().unwrap();
        let dist = modules.path().join("@clerk/ui/dist");
        fs::create_dir_all(&dist).unwrap();
        fs::write(dist.join("ui.browser.js"), "1").unwrap();
        fs::write(modules.path().join("secret.js"), "2").unwrap();
        respond(modules.path(), package, file)
            .unwrap()
            .status()
            .as_u16()
    }

    #[test]
    fn any_version_of_the_right_major_is_served() {
        for version in ["1", "1.36", "1.36.0", "1.99.7"] {
            assert_eq!(status(&format!("ui@{version}"), "ui.browser.js"), 200);
        }
        for package in ["ui@2", "ui@1.x", "ui@", "ui", "shared@1", "../ui@1"] {
            assert_eq!(status(package, "ui.browser.js"), 404, "{package}");
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_served() {
        for file in [
            "../../../secret.js",
            "..%2f..%2f..%2fsecret.js",
            ".js",
            "ui.browser.ts",
            "missing.js",
        ] {
            assert_eq!(status("ui@1", file), 404, "{file}");
        }
    }
}
