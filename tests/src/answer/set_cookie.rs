//! One cookie that an answer sets.

/// One `Set-Cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    /// The cookie's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The attributes as they were written, such as `Max-Age=2`.
    pub attributes: Vec<String>,
}

impl SetCookie {
    pub(super) fn read(line: &str) -> Self {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap();
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        }
    }

    /// Whether it has this attribute, such as `Secure` or `Max-Age=2`.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(attribute))
    }

    /// Whether it removes the cookie.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.value.is_empty() && self.has("Max-Age=0")
    }

    /// Bytes of name and value, as a browser sends them back.
    #[must_use]
    pub fn size(&self) -> usize {
        self.name.len() + 1 + self.value.len()
    }
}
