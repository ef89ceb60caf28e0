//! What a test can do to the site.

use std::str::FromStr;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `database stop`: the database cannot be reached any more.
    StopDatabase,
    /// `database start`: it is there again, with its data.
    StartDatabase,
    /// `table hide`: statements fail, as after a bad migration.
    HideTable,
    /// `table show`: they work again.
    ShowTable,
    /// `key wrong`: the functions know the key of another instance.
    WrongKey,
    /// `key right`: they know their own again.
    RightKey,
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        match line {
            "database stop" => Ok(Self::StopDatabase),
            "database start" => Ok(Self::StartDatabase),
            "table hide" => Ok(Self::HideTable),
            "table show" => Ok(Self::ShowTable),
            "key wrong" => Ok(Self::WrongKey),
            "key right" => Ok(Self::RightKey),
            _ => Err(format!("no such command: {line}")),
        }
    }
}
