//! clerk-js and its components, from the packages that npm installed.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use http::{
    StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL},
};

use crate::reply::{self, Reply};

/// The packages that pages load, and the major version they ask for.
const PACKAGES: [(&str, &str); 2] = [("clerk-js", "6"), ("ui", "1")];

/// `GET /npm/@clerk/{package}@{version}/dist/{file}`. Any version of the right
/// major is answered with the one that is installed.
pub(crate) fn serve(node_modules: &Path, package: &str, file: &str) -> anyhow::Result<Reply> {
    let Some(package) = known_package(package).filter(|_| is_plain_file_name(file)) else {
        return Ok(not_found("no such script"));
    };
    let dist = node_modules.join("@clerk").join(package).join("dist");
    let script = match fs::read(dist.join(file)) {
        Ok(script) => script,
        Err(error) if error.kind() == io::ErrorKind::NotFound && dist.is_dir() => {
            return Ok(not_found("no such script in the installed version"));
        }
        Err(error) => {
            return Err(error).with_context(|| {
                let dist = dist.display();
                format!("{dist}/{file} cannot be read; run npm ci --ignore-scripts in dev/npm")
            });
        }
    };
    let mut reply = reply::with_body("text/javascript; charset=utf-8", script);
    reply::set(&mut reply, ACCESS_CONTROL_ALLOW_ORIGIN, "*")?;
    reply::set(&mut reply, CACHE_CONTROL, caching(file))?;
    Ok(reply)
}

/// Chunks carry a hash and the version in their names, entry points do not.
fn caching(file: &str) -> &'static str {
    if file.contains('_') {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// The package in `clerk-js@6.40.0` or `ui@1`.
fn known_package(versioned: &str) -> Option<&'static str> {
    let (name, version) = versioned.split_once('@')?;
    let (name, major) = PACKAGES.into_iter().find(|(known, _)| *known == name)?;
    let of_major = version.split('.').next() == Some(major);
    let is_version = version
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (of_major && is_version).then_some(name)
}

fn is_plain_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.ends_with(".js") && !name.starts_with('.') && name.bytes().all(plain)
}

fn not_found(message: &str) -> Reply {
    reply::error(StatusCode::NOT_FOUND, "resource_not_found", message)
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
        serve(modules.path(), package, file)
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
