//! Draws the charts with plotters, as SVG within the page.
//!
//! Each colour has one role, so that the page's style can replace it in dark mode. A chart is drawn
//! for the width of a phone and scales with the page.

mod bars;
mod drawing;
mod steps;

pub use bars::{Bar, columns, rows};
pub use drawing::Chart;
pub use steps::steps;
