//! `report.html`: a run as one file for a browser, which needs nothing else and fetches nothing.
//!
//! In passes, each of which knows nothing of the next: `tell` turns events into marks, in words; `calm` collapses what would bury
//! the story; `rows` puts them one under the other, folds silences, and says what each lane does; `place` says where every line
//! and letter of a row stands; `draw` writes that as SVG; `page` puts everything into a document.
//!
//! Everything that comes from the run (programs' output, names, addresses, errors) is untrusted: it is made harmless for the eye
//! ([`super::text::harmless`]), and `maud` escapes it. The page's security policy allows its own style and script, by their hashes,
//! and nothing else.

mod about;
mod calm;
mod chart;
mod chart_draw;
mod draw;
mod evidence;
mod kernel;
mod ladder;
mod lanes;
mod mark;
mod page;
mod place;
mod policy;
mod proof;
mod rows;
mod table;
mod tell;
mod verdicts;

pub use page::html;
