//! Who is signed in, in a small file that outlives the process.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    clients::{Client, Clients, Session, forget_unused},
    files,
    fresh::{new_id, now_ms},
};

pub(crate) struct Store {
    clients: PathBuf,
    lock: PathBuf,
}

impl Store {
    /// The store in a folder, which is made if need be.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        files::make_private_dir(dir)?;
        Ok(Self {
            clients: dir.join("clients.json"),
            lock: dir.join("lock"),
        })
    }

    /// The browser with this secret.
    pub(crate) fn find(&self, secret: &str) -> anyhow::Result<Option<Client>> {
        Ok(self.read()?.remove(secret))
    }

    /// A new browser and its secret.
    pub(crate) fn create(&self) -> anyhow::Result<(String, Client)> {
        let (secret, client) = (new_id("dvb")?, Client::new()?);
        self.update(|clients| {
            clients.insert(secret.clone(), client.clone());
            (secret, client)
        })
    }

    /// Signs a user in, in the browser with this secret or, if there is none,
    /// in a new one. Returns the browser and its secret.
    pub(crate) fn sign_in(
        &self,
        secret: Option<&str>,
        user_id: &str,
    ) -> anyhow::Result<(String, Client)> {
        let (new_secret, new_client) = (new_id("dvb")?, Client::new()?);
        let session = Session::new(user_id)?;
        self.update(|clients| {
            let secret = secret
                .filter(|secret| clients.contains_key(*secret))
                .map_or(new_secret, str::to_owned);
            let client = clients.entry(secret.clone()).or_insert(new_client);
            client.updated_at = session.created_at;
            client.session = Some(session);
            (secret, client.clone())
        })
    }

    /// Ends the session of the browser with this secret, if there is one.
    pub(crate) fn sign_out(&self, secret: &str) -> anyhow::Result<Option<Client>> {
        self.update(|clients| {
            let client = clients.get_mut(secret)?;
            if client.session.take().is_some() {
                client.updated_at = now_ms();
            }
            Some(client.clone())
        })
    }

    /// Runs `work` while no other process runs its own.
    pub(crate) fn locked<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock)
            .with_context(|| format!("{} cannot be opened", self.lock.display()))?;
        File::lock(&lock)?;
        work()
    }

    fn update<T>(&self, change: impl FnOnce(&mut Clients) -> T) -> anyhow::Result<T> {
        self.locked(|| {
            let mut clients = self.read()?;
            let result = change(&mut clients);
            forget_unused(&mut clients);
            files::write_private(&self.clients, &serde_json::to_vec_pretty(&clients)?)?;
            Ok(result)
        })
    }

    /// Needs no lock: the file is replaced as a whole.
    fn read(&self) -> anyhow::Result<Clients> {
        let path = self.clients.display();
        match fs::read(&self.clients) {
            Ok(json) => serde_json::from_slice(&json)
                .with_context(|| format!("{path} is damaged; delete it and sign in again")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Clients::new()),
            Err(error) => Err(error).with_context(|| format!("{path} cannot be read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (secret, _) = store.sign_in(None, "user_ada").unwrap();
        let again = Store::open(dir.path()).unwrap();
        let client = again.find(&secret).unwrap().unwrap();
        assert_eq!(client.session.unwrap().user_id, "user_ada");
    }

    #[test]
    fn an_unknown_secret_is_not_adopted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (secret, _) = store.sign_in(Some("mine"), "user_ada").unwrap();
        assert_ne!(secret, "mine");
        assert!(store.find("mine").unwrap().is_none());
    }

    #[test]
    fn two_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Store::open(dir.path()).unwrap().create().unwrap());
            }
        });
        assert_eq!(Store::open(dir.path()).unwrap().read().unwrap().len(), 8);
    }
}
