//! One statement on an open connection for each line of input: the quote of
//! `USER_ID` in `DATABASE_URL`.

use std::time::Instant;

use anyhow::{anyhow, ensure};
use shared::database::{ConnectOptions, connect};
use shared::quote::FIND_QUOTE_SQL;
use tokio::runtime::Builder;
use tokio_postgres::types::Type;

fn main() -> anyhow::Result<()> {
    let options = ConnectOptions::parse(&floor::read_variable("DATABASE_URL")?, None)
        .map_err(|problem| anyhow!("DATABASE_URL {problem}"))?;
    let user = floor::read_variable("USER_ID")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (client, _driver) = runtime.block_on(connect(&options))?;

    floor::for_each_line(|| {
        let begin = Instant::now();
        let rows = runtime.block_on(client.query_typed(FIND_QUOTE_SQL, &[(&user, Type::TEXT)]))?;
        let took = begin.elapsed();
        ensure!(rows.len() == 1, "USER_ID has no quote");
        Ok(took)
    })
}
