//! One statement on an open connection, over and over: the quote of `USER_ID`
//! in `DATABASE_URL`.

use std::time::Instant;

use anyhow::{anyhow, ensure};
use shared::database::Target;
use tokio_postgres::types::Type;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let target = Target::parse(&floor::variable("DATABASE_URL")?, None)
        .map_err(|problem| anyhow!("DATABASE_URL {problem}"))?;
    let (client, _driver) = target.connect().await?;
    let user = floor::variable("USER_ID")?;

    let calls = floor::calls()?;
    let mut durations = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begin = Instant::now();
        let rows = client
            .query_typed(floor::FIND, &[(&user, Type::TEXT)])
            .await?;
        durations.push(begin.elapsed());
        ensure!(rows.len() == 1, "USER_ID has no quote");
    }
    Ok(floor::print(&durations)?)
}
