//! The file `.env` in the clone: what replaces the local stand-ins.
//!
//! `NAME=value`, one a line; `#` begins a comment; single quotes keep a value
//! as it is, and in double quotes `\n` is a line break.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use anyhow::{Context, bail};

/// The variables of the file; none if there is no file. An empty value counts
/// as none.
///
/// # Errors
/// If a line is not a setting. The error has the number of the line and not its
/// text, which may be a secret.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).context("cannot read .env"),
    }
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
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(())?;
    Some((name, unquote(value.trim())?))
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
    fn no_file_is_no_variables() {
        assert!(read(Path::new("/nowhere/.env")).unwrap().is_empty());
    }
}
