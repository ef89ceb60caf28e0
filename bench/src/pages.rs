//! The page with a short and with the longest quote.

use tests::Event;

use crate::console;
use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{Program, find};
use crate::statistics::{Samples, ms};
use crate::world::{World, payload};

/// Lengths of the quotes, in characters.
const QUOTE_LENGTHS: [usize; 2] = [1, 500];

/// Calls of one page in a row, before those of the other.
const PAGE_BLOCK_CALLS: usize = 100;

/// What was measured of a page.
pub(crate) struct Page {
    /// Characters of the quote.
    pub(crate) characters: usize,
    /// Bytes of the page.
    pub(crate) bytes: usize,
    /// Times in milliseconds.
    pub(crate) calls: Samples,
}

/// Asks one environment for both pages in turn.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Page>> {
    console::print_stage("the page with a short and a long quote");
    let program = find(programs, "render-page")?;
    let environment = Environment::start(program, world).await?;
    let mut pages = Vec::new();
    let mut events = Vec::new();
    for characters in QUOTE_LENGTHS {
        let user = world.create_user_with(&"q".repeat(characters)).await?;
        let event = payload(Event::page("/").signed_in(&user));
        let (answer, _) = environment.call(&event).await?;
        pages.push(Page {
            characters,
            bytes: answer["body"].as_str().map_or(0, str::len),
            calls: Samples::default(),
        });
        events.push(event);
    }
    for _ in 0..plan.page_blocks {
        for (page, event) in pages.iter_mut().zip(&events) {
            for _ in 0..PAGE_BLOCK_CALLS {
                page.calls.push(ms(environment.expect(event, 200).await?));
            }
        }
    }
    Ok(pages)
}
