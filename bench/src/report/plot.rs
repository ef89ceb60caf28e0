//! The plot: bars, one panel for each quantity.

use std::fmt::Write;

use crate::programs::{GET_QUOTE, NOTHING, PEERS};
use crate::results::Results;
use crate::rounds::Measurements;
use crate::statistics::digits;

/// Sizes in pixels.
const PANEL_WIDTH: f64 = 380.0;
const BAR_HEIGHT: f64 = 18.0;
const BAR_SPACING: f64 = 26.0;
const LABEL_WIDTH: f64 = 78.0;
const MAX_BAR_WIDTH: f64 = 230.0;
const PANEL_MARGIN: f64 = 16.0;
const TITLE_HEIGHT: f64 = 30.0;

/// Panels in a row.
const PANEL_COLUMNS: usize = 2;

/// One quantity.
struct Panel {
    title: &'static str,
    bars: Vec<(&'static str, f64)>,
}

/// Draws the quantities of get-quote, its peers and the floor.
pub(super) fn draw(results: &Results<'_>) -> anyhow::Result<String> {
    let panels = [
        panel(results, "cold start, ms", |measured| measured.cold.median())?,
        panel(results, "CPU of a cold start, ms", |measured| {
            measured.cold_cpu.median()
        })?,
        panel(results, "warm call, ms", |measured| measured.warm.median())?,
        panel(results, "CPU of a warm call, ms", |measured| {
            measured.warm_cpu.median()
        })?,
        panel(results, "memory, MB", |measured| measured.resident.median())?,
        sizes(results),
    ];
    svg(&panels)
}

/// The bars, from top to bottom.
fn shown() -> impl Iterator<Item = &'static str> {
    [GET_QUOTE].into_iter().chain(PEERS).chain([NOTHING])
}

fn panel(
    results: &Results<'_>,
    title: &'static str,
    of: fn(&Measurements) -> f64,
) -> anyhow::Result<Panel> {
    let bars = shown().map(|name| Ok((name, of(results.rounds.of(name)?))));
    Ok(Panel {
        title,
        bars: bars.collect::<anyhow::Result<_>>()?,
    })
}

fn sizes(results: &Results<'_>) -> Panel {
    let sizes = results.sizes.here.iter();
    Panel {
        title: "zip, MB",
        bars: sizes
            .filter(|(name, _)| shown().any(|known| known == *name))
            .copied()
            .collect(),
    }
}

fn svg(panels: &[Panel]) -> anyhow::Result<String> {
    let bars = panels.iter().map(|panel| panel.bars.len()).max();
    let height = TITLE_HEIGHT + BAR_SPACING * bars.unwrap_or(0) as f64 + PANEL_MARGIN;
    let rows = panels.len().div_ceil(PANEL_COLUMNS) as f64;
    let (full_width, full_height) = (
        PANEL_WIDTH * PANEL_COLUMNS as f64,
        height * rows + PANEL_MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full_width} {full_height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1f2933\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let x = PANEL_WIDTH * (index % PANEL_COLUMNS) as f64 + PANEL_MARGIN;
        let y = height * (index / PANEL_COLUMNS) as f64 + PANEL_MARGIN;
        writeln!(svg, "<g transform=\"translate({x} {y})\">")?;
        draw_panel(&mut svg, panel)?;
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn draw_panel(svg: &mut String, panel: &Panel) -> std::fmt::Result {
    let longest = panel
        .bars
        .iter()
        .map(|(_, value)| *value)
        .fold(0.0, f64::max);
    writeln!(
        svg,
        "<text y=\"14\" font-weight=\"600\">{}</text>",
        panel.title
    )?;
    for (index, (name, value)) in panel.bars.iter().enumerate() {
        let y = TITLE_HEIGHT + BAR_SPACING * index as f64;
        // A bar that is too short to see is still one.
        let width = (value / longest * MAX_BAR_WIDTH).max(1.0);
        let colour = if *name == GET_QUOTE {
            "#c2410c"
        } else {
            "#94a3b8"
        };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            LABEL_WIDTH - 6.0,
            y + 13.0,
            LABEL_WIDTH + width + 5.0,
            y + 13.0,
            digits(*value)
        )?;
    }
    Ok(())
}
