//! The file `.env` in the clone: what replaces the local stand-ins.
//!
//! `NAME=value`, one a line; `#` begins a comment; single quotes keep a value
//! as it is, and in double quotes `\n` is a line break.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use anyhow::{Context, bail, ensure};
use strsim::osa_distance;

/// The variables of the file; none if there is no file. An empty value counts
/// as none.
///
/// # Errors
/// If a line is not a setting, or its name is almost that of one. The error has
/// the number of the line or the name and not the value, which may be a secret.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let variables = parse(&text)?;
            variables.keys().try_for_each(|name| check_name(name))?;
            Ok(variables)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).context("cannot read .env"),
    }
}

/// The names of all settings: those that the example lists.
pub(crate) fn known_names() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../.env.example").lines();
    lines
        .filter_map(|line| Some(line.strip_prefix('#')?.split_once('=')?.0))
        .filter(|name| is_name(name))
}

/// Refuses a name that is at most two letters away from a setting's: what it was
/// meant for would silently be a stand-in. Other names may belong to other
/// programs.
fn check_name(name: &str) -> anyhow::Result<()> {
    let distance = |known: &str| osa_distance(&name.to_ascii_uppercase(), known);
    let Some(nearest) = known_names().min_by_key(|known| distance(known)) else {
        return Ok(());
    };
    ensure!(
        name == nearest || distance(nearest) > 2,
        ".env: {name}: did you mean {nearest}?"
    );
    Ok(())
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = parse_line(line) else {
            bail!(
                ".env, line {}: not NAME=value (a PEM is one line in double quotes, with \\n)",
                index + 1
            );
        };
        if !value.is_empty() {
            variables.insert(name.to_owned(), value);
        }
    }
    Ok(variables)
}

fn parse_line(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    is_name(name).then_some(())?;
    Some((name, unquote(value.trim())?))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unquote(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        let (inside, after) = rest.split_once('\'')?;
        return is_comment(after).then(|| inside.to_owned());
    }
    if let Some(rest) = value.strip_prefix('"') {
        return unquote_double(rest);
    }
    let comment = value.find(" #").unwrap_or(value.len());
    Some(value[..comment].trim_end().to_owned())
}

/// The value up to the closing quote.
fn unquote_double(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return is_comment(characters.as_str()).then_some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

fn is_comment(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('#')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn value(line: &str) -> String {
        parse(line).unwrap().remove("A").unwrap()
    }

    #[test]
    fn values_come_plain_or_in_quotes() {
        assert_eq!(value("A=b"), "b");
        assert_eq!(value("  export A = b c # d"), "b c");
        assert_eq!(
            value("A=postgres://h/d?a=1&b=2#x"),
            "postgres://h/d?a=1&b=2#x"
        );
        assert_eq!(value("A='b # \\n \"' # c"), "b # \\n \"");
        assert_eq!(value(r#"A="b\n\"c\" \\ \x #" # d"#), "b\n\"c\" \\ \\x #");
        assert_eq!(value("\u{feff}A=b\r"), "b");
    }

    #[test]
    fn comments_blank_lines_and_empty_values_are_nothing() {
        assert!(parse("# A=b\n\n  \nA=\nB=''\nC=\"\"").unwrap().is_empty());
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number_only() {
        for line in [
            "secret",
            "A b=secret",
            "=secret",
            "1A=secret",
            "A=\"secret",
            "A='secret",
            "A='b'secret",
        ] {
            let error = parse(&format!("# fine\n{line}")).unwrap_err().to_string();
            assert!(error.starts_with(".env, line 2: not NAME=value"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_almost_a_settings_is_refused() {
        for (name, meant) in [
            ("DATABSE_URL", "DATABASE_URL"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("database_url", "DATABASE_URL"),
            ("CLERK_PUBLISHABLE_KYE", "CLERK_PUBLISHABLE_KEY"),
        ] {
            let error = check_name(name).unwrap_err().to_string();
            assert_eq!(error, format!(".env: {name}: did you mean {meant}?"));
        }
        for other in ["PATH", "TEST_DATABASE_URL", "CLERK_API_KEY", "NODE_ENV"] {
            check_name(other).unwrap();
        }
    }

    #[test]
    fn the_example_lists_the_settings_of_the_readme() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("\n## Configuration\n").unwrap();
        let (table, _) = rest.split_once("\n## ").unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: BTreeSet<_> = rows.map(|row| row.split_once('`').unwrap().0).collect();
        assert_eq!(known_names().collect::<BTreeSet<_>>(), listed);
        assert!(listed.iter().all(|name| check_name(name).is_ok()));
    }

    #[test]
    fn no_file_is_no_variables() {
        assert!(read(Path::new("/nowhere/.env")).unwrap().is_empty());
    }
}
