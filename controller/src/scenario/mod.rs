//! Scenarios: what the lab is asked to do, and what is claimed about it.
//!
//! A scenario is a YAML file. It is checked whole before anything boots; what comes out is [`Scenario`],
//! in which every name is known to exist and every step to be possible.

mod model;

pub use model::{
    Action, Answering, Claim, Expectation, Flow, Host, Init, Moment, Pattern, Program, ProgramEnd, Rule, RuleVerdict,
    Scenario, SegmentClaim, SegmentKind, Step, Until,
};
