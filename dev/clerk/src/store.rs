//! The demo users, and the browsers in which they are signed in: kept in a
//! folder, so that they outlive the process.

use std::{
    cmp::Reverse,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::Context as _;
use openssl::rand::rand_bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// How many browsers are remembered.
const MAX_CLIENTS: usize = 500;

/// The file of the browsers.
const CLIENTS: &str = "browsers.json";

/// The file of the demo users who were deleted: their ids.
const DELETED: &str = "deleted-users.json";

/// Somebody who can sign in.
pub struct User {
    /// `sub` of the tokens.
    pub id: &'static str,
    /// Given name.
    pub first_name: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// Address in a domain that receives no mail.
    pub email: &'static str,
}

impl User {
    /// Given and family name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// First letters of the names, for where a picture would be.
    pub(crate) fn initials(&self) -> String {
        let names = [self.first_name, self.last_name];
        names
            .iter()
            .filter_map(|name| name.chars().next())
            .collect()
    }
}

/// The demo users, the same for everybody who runs the application.
#[must_use]
pub fn users() -> &'static [User] {
    &[
        User {
            id: "user_ada",
            first_name: "Ada",
            last_name: "Lovelace",
            email: "ada@example.com",
        },
        User {
            id: "user_grace",
            first_name: "Grace",
            last_name: "Hopper",
            email: "grace@example.com",
        },
        User {
            id: "user_alan",
            first_name: "Alan",
            last_name: "Turing",
            email: "alan@example.com",
        },
    ]
}

/// The demo user with this id.
pub(crate) fn find_user(id: &str) -> Option<&'static User> {
    users().iter().find(|user| user.id == id)
}

/// A browser, which Clerk calls a client, and who is signed in there.
/// Times are in milliseconds since 1970.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    /// What the browser identifies itself with: `__clerk_db_jwt` of a
    /// development instance, `__client` of a production instance.
    pub(crate) secret: String,
    pub(crate) id: String,
    pub(crate) created_at: u64,
    /// When somebody last signed in or out.
    pub(crate) updated_at: u64,
    pub(crate) session: Option<Session>,
}

/// A sign-in. There is one at a time in a browser.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// Milliseconds since 1970.
    pub(crate) created_at: u64,
}

impl Client {
    /// A new browser, in which nobody is signed in.
    fn new() -> anyhow::Result<Self> {
        let now = now_ms();
        Ok(Self {
            secret: new_id("dvb")?,
            id: new_id("client")?,
            created_at: now,
            updated_at: now,
            session: None,
        })
    }

    /// The session and its user, if that demo user still exists.
    pub(crate) fn signed_in(&self) -> Option<(&Session, &'static User)> {
        let session = self.session.as_ref()?;
        Some((session, find_user(&session.user_id)?))
    }

    /// `__client_uat`: when somebody last signed in, in seconds since 1970; 0
    /// if nobody is signed in.
    pub(crate) fn uat(&self) -> u64 {
        self.signed_in().map_or(0, |_| self.updated_at / 1000)
    }
}

impl Session {
    /// A session that begins now, of any user id.
    pub(crate) fn new(user_id: &str) -> anyhow::Result<Self> {
        Ok(Self {
            id: new_id("sess")?,
            user_id: user_id.to_owned(),
            created_at: now_ms(),
        })
    }
}

/// The folder of an instance.
#[derive(Clone)]
pub(crate) struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in a folder, which is made if need be and which only its
    /// owner can enter.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// The content of a file, which is made if there is none.
    pub(crate) fn read_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Vec<u8>> {
        let _lock = self.lock()?;
        if let Some(content) = self.read(name)? {
            return Ok(content);
        }
        let content = make()?;
        self.write(name, &content)?;
        Ok(content)
    }

    /// The browser with this secret.
    pub(crate) fn find(&self, secret: &str) -> anyhow::Result<Option<Client>> {
        let mut clients = self.list::<Client>(CLIENTS)?.into_iter();
        Ok(clients.find(|client| client.secret == secret))
    }

    /// A new browser.
    pub(crate) fn create(&self) -> anyhow::Result<Client> {
        self.save(Client::new()?)
    }

    /// Signs a user in, in this browser or in a new one.
    pub(crate) fn sign_in(&self, client: Option<Client>, user_id: &str) -> anyhow::Result<Client> {
        let mut client = client.map_or_else(Client::new, Ok)?;
        client.updated_at = now_ms();
        client.session = Some(Session::new(user_id)?);
        self.save(client)
    }

    /// Ends the browser's session, if there is one.
    pub(crate) fn sign_out(&self, mut client: Client) -> anyhow::Result<Client> {
        if client.session.take().is_some() {
            client.updated_at = now_ms();
        }
        self.save(client)
    }

    /// The demo users who were not deleted.
    pub(crate) fn users(&self) -> anyhow::Result<Vec<&'static User>> {
        let deleted: Vec<String> = self.list(DELETED)?;
        let mut users: Vec<&User> = users().iter().collect();
        users.retain(|user| deleted.iter().all(|id| id != user.id));
        Ok(users)
    }

    /// Deletes a demo user, who is signed out everywhere.
    pub(crate) fn delete_user(&self, user: &User) -> anyhow::Result<()> {
        self.append(DELETED, user.id)?;
        let clients: Vec<Client> = self.list(CLIENTS)?;
        let is_signed_in = |client: &Client| {
            let signed_in = client.signed_in();
            signed_in.is_some_and(|(_session, other)| other.id == user.id)
        };
        for client in clients.into_iter().filter(is_signed_in) {
            self.sign_out(client)?;
        }
        Ok(())
    }

    /// What is in a file of values, which may not be there.
    pub(crate) fn list<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Vec<T>> {
        let Some(json) = self.read(name)? else {
            return Ok(Vec::new());
        };
        let path = self.path(name);
        serde_json::from_slice(&json)
            .with_context(|| format!("{} is damaged; delete it", path.display()))
    }

    /// Adds a value to a file of values.
    pub(crate) fn append(&self, name: &str, value: impl Serialize) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let mut values: Vec<Value> = self.list(name)?;
        values.push(serde_json::to_value(value)?);
        self.write(name, &serde_json::to_vec_pretty(&values)?)
    }

    fn save(&self, client: Client) -> anyhow::Result<Client> {
        let _lock = self.lock()?;
        let mut clients: Vec<Client> = self.list(CLIENTS)?;
        clients.retain(|known| known.secret != client.secret);
        clients.push(client.clone());
        forget_unused(&mut clients);
        self.write(CLIENTS, &serde_json::to_vec_pretty(&clients)?)?;
        Ok(client)
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Keeps other processes from writing until the result is dropped.
    fn lock(&self) -> anyhow::Result<File> {
        let path = self.path("lock");
        open_private(&path, false)
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| format!("{} cannot be locked", path.display()))
    }

    /// Needs no lock: files are replaced as a whole.
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// Replaces a file. Needs the lock.
    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.path(name);
        let draft = path.with_extension("new");
        open_private(&draft, true)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Opens or makes a file that only its owner can read.
fn open_private(path: &Path, truncate: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(truncate)
        .mode(0o600)
        .open(path)
}

/// Keeps the file small: signed-out browsers go first, and of these the ones
/// unused for longest.
fn forget_unused(clients: &mut Vec<Client>) {
    clients.sort_by_key(|client| Reverse((client.session.is_some(), client.updated_at)));
    clients.truncate(MAX_CLIENTS);
}

/// An id like Clerk's: its kind and 128 random bits.
pub(crate) fn new_id(kind: &str) -> anyhow::Result<String> {
    let mut random = [0; 16];
    rand_bytes(&mut random)?;
    Ok(format!("{kind}_{:032x}", u128::from_ne_bytes(random)))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs() * 1000 + u64::from(since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let client = store.sign_in(None, "user_ada").unwrap();
        let again = Store::open(dir.path()).unwrap();
        let client = again.find(&client.secret).unwrap().unwrap();
        assert_eq!(client.session.unwrap().user_id, "user_ada");
    }

    #[test]
    fn two_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Store::open(dir.path()).unwrap().create().unwrap());
            }
        });
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.list::<Client>(CLIENTS).unwrap().len(), 8);
    }

    #[test]
    fn a_deleted_user_is_signed_out_everywhere_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let [ada, alan] = ["user_ada", "user_alan"]
            .map(|id| [(); 2].map(|()| store.sign_in(None, id).unwrap().secret));
        store.delete_user(&users()[0]).unwrap();
        let has_session = |secret: &String| {
            let client = store.find(secret).unwrap().unwrap();
            client.session.is_some()
        };
        assert!(!ada.iter().any(has_session));
        assert!(alan.iter().all(has_session));
        let left: Vec<_> = store.users().unwrap().iter().map(|user| user.id).collect();
        assert_eq!(left, ["user_grace", "user_alan"]);
    }

    #[test]
    fn signed_out_browsers_are_forgotten_first() {
        let mut clients: Vec<Client> = (0..MAX_CLIENTS).map(|_| Client::new().unwrap()).collect();
        let mut signed_in = Client::new().unwrap();
        signed_in.updated_at = 0;
        signed_in.session = Some(Session::new("user_ada").unwrap());
        clients.push(signed_in.clone());
        forget_unused(&mut clients);
        assert_eq!(clients.len(), MAX_CLIENTS);
        assert!(
            clients
                .iter()
                .any(|client| client.secret == signed_in.secret)
        );
    }
}
