//! Claims on the word of a host's kernel, and how a story of it is judged.

use super::{Story, scenarios};
use deadpeer::judge::{Judged, judge};
use deadpeer::scenario::{
    CallFamily, Claim, Count, DescriptorClass, KernelClaim, KernelPattern, Moment, Returns, StateChange, TcpDeed,
};
use deadpeer::timeline::{Disposition, TcpState};

pub fn judged(story: &mut Story, claim: Claim) -> Judged {
    story.scenario.expectations = vec![scenarios::expectation("it", 1, claim, "held", "not held")];
    judge(&story.scenario, &story.events).remove(0)
}

pub fn claimed(what: KernelPattern, count: Count, when: Moment) -> Claim {
    Claim::Kernel(KernelClaim { what, count, when })
}

/// A claim about calls of the client on its connection.
pub fn calls(family: CallFamily, returns: &[Returns], count: Count, when: Moment) -> Claim {
    let what = KernelPattern::Call {
        program: "echo-client".to_owned(),
        family,
        descriptor: Some(DescriptorClass::Connection),
        returns: returns.to_vec(),
    };
    claimed(what, count, when)
}

pub fn reads(returns: &[Returns], count: Count) -> Claim {
    calls(CallFamily::Read, returns, count, Moment::default())
}

pub fn error(name: &str) -> Returns {
    Returns::Error(name.to_owned())
}

pub fn accepts(returns: &[Returns], count: Count) -> Claim {
    let what = KernelPattern::Call {
        program: "echo-server".to_owned(),
        family: CallFamily::Accept,
        descriptor: Some(DescriptorClass::Listening),
        returns: returns.to_vec(),
    };
    claimed(what, count, Moment::default())
}

pub fn state(host: &str, from: Option<TcpState>, to: Option<TcpState>, count: Count) -> Claim {
    claimed(KernelPattern::State { host: host.to_owned(), change: StateChange { from, to } }, count, Moment::default())
}

pub fn deed(host: &str, deed: TcpDeed, count: Count) -> Claim {
    claimed(KernelPattern::Tcp { host: host.to_owned(), deed }, count, Moment::default())
}

pub fn delivered(signal: &str, disposition: Option<Disposition>, count: Count) -> Claim {
    let (program, signal) = ("echo-server".to_owned(), signal.to_owned());
    claimed(KernelPattern::Delivered { program, signal, disposition }, count, Moment::default())
}

pub fn zombies(count: Count, before: Option<usize>) -> Claim {
    Claim::Zombies { program: "echo-server".to_owned(), count, before }
}
