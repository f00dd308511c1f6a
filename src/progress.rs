//! Progress on stderr; bars only where it is a terminal.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::is_coloured;

/// A line on stderr about what is being done now.
pub(crate) fn say(what: &str) {
    // There is nowhere left to report a failure of this.
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A bar of `length` steps. Invisible where stderr is not a terminal.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let line = if is_coloured() { "{bar:30.cyan}" } else { "{bar:30}" };
    let template = format!("{{msg}} {line} {{pos}}/{{len}} {{per_sec}} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}

/// What has been counted, and how fast it goes now. Invisible where stderr is not a terminal.
pub(crate) fn rate(what: &'static str) -> ProgressBar {
    let rate = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {pos} {per_sec} {elapsed}") {
        rate.set_style(style);
    }
    rate.set_message(what);
    rate
}
