//! What kernels tell, for stories.

use super::{Story, scenarios, stories};
use deadpeer::timeline::{
    Call, CallResult, Connection, Descriptor, DescriptorKind, Disposition, Ended, KernelEvent, KernelFact, LabTime,
    Process, SignalOutcome, TcpState, What,
};

/// The story's one connection, as a host sees it.
pub fn connection(host: &str) -> Connection {
    let (client, server) = ("192.0.2.1:41612".parse().unwrap(), "192.0.2.2:9877".parse().unwrap());
    if host == "client" {
        Connection { local: client, remote: server }
    } else {
        Connection { local: server, remote: client }
    }
}

/// A program's first process.
pub fn process(program: &str) -> Process {
    let pid = if program == "echo-server" { 312 } else { 298 };
    Process { pid, command: program.to_owned(), program: Some(program.to_owned()), child: false }
}

/// A process that a program forked.
pub fn child(program: &str, pid: u32) -> Process {
    Process { pid, child: true, ..process(program) }
}

pub fn failed(error: &str) -> CallResult {
    CallResult::Failed(error.to_owned())
}

impl Story {
    /// Something that a host's kernel told. Its guests' clocks began with the lab's.
    pub fn told(&mut self, host: &str, process: Option<Process>, fact: KernelFact) -> &mut Self {
        let guest_time = self.now().0;
        self.note(What::Kernel(Box::new(KernelEvent { host: host.to_owned(), guest_time, process, fact })))
    }

    /// A call that began at `began` (in seconds) and came to `result` now.
    pub fn call(
        &mut self,
        process: Process,
        call: &str,
        on: Option<DescriptorKind>,
        began: f64,
        result: CallResult,
    ) -> &mut Self {
        let host = self.scenario.programs[process.program.as_ref().unwrap()].host.clone();
        let on = on.map(|kind| Descriptor { number: 3, kind });
        let began = LabTime((began * 1e9).round() as u64);
        let call = Call { call: call.to_owned(), began, on, arguments: String::new(), result };
        self.told(&host, Some(process), KernelFact::Call(call))
    }

    pub fn state(&mut self, host: &str, from: TcpState, to: TcpState) -> &mut Self {
        self.told(host, None, KernelFact::State { connection: connection(host), from, to })
    }

    pub fn delivered(&mut self, program: &str, signal: &str, disposition: Disposition) -> &mut Self {
        let host = self.scenario.programs[program].host.clone();
        let fact = KernelFact::SignalDelivered { signal: signal.to_owned(), disposition, restart: false };
        self.told(&host, Some(process(program)), fact)
    }

    pub fn sent(&mut self, program: &str, signal: &str, outcome: SignalOutcome) -> &mut Self {
        let host = self.scenario.programs[program].host.clone();
        let init = Process { pid: 1, command: "init".to_owned(), program: None, child: false };
        let fact = KernelFact::SignalSent { signal: signal.to_owned(), target: process(program), outcome };
        self.told(&host, Some(init), fact)
    }

    pub fn exited(&mut self, process: Process) -> &mut Self {
        let host = self.scenario.programs[process.program.as_ref().unwrap()].host.clone();
        self.told(&host, Some(process), KernelFact::Exited { how: Ended::Exit(0) })
    }

    pub fn reaped(&mut self, host: &str, by: Process, child_pid: u32) -> &mut Self {
        self.told(host, Some(by), KernelFact::Reaped { child_pid })
    }

    /// Events were lost between `since` (in seconds) and now.
    pub fn lost(&mut self, host: &str, since: f64) -> &mut Self {
        let since = LabTime((since * 1e9).round() as u64);
        self.told(host, None, KernelFact::Lost { events: 7, place: "the trace buffer".to_owned(), since })
    }

    /// The kernel does not tell of this system call, or of something else.
    pub fn untold(&mut self, host: &str, call: Option<&str>) -> &mut Self {
        let what = call.map_or("signal/signal_generate".to_owned(), |call| format!("syscalls/sys_exit_{call}"));
        let fact = KernelFact::Untold { what, why: "it refuses".to_owned(), call: call.map(str::to_owned) };
        self.told(host, None, fact)
    }
}

/// [`stories::crash_reboot`], as the kernels of both hosts tell it.
pub fn crash_reboot() -> Story {
    use TcpState::{Closed, Established, SynSent};
    let mut story = stories::crash_reboot();
    let on = |host| Some(DescriptorKind::Connection(connection(host)));
    let listening = Some(DescriptorKind::Listening { port: 9877 });
    let (client, server) = (|| process("echo-client"), || process("echo-server"));
    // The server's first life.
    let local = "0.0.0.0:9877".parse().unwrap();
    let socket = Connection { local, remote: "0.0.0.0:0".parse().unwrap() };
    let listens = KernelFact::State { connection: socket, from: Closed, to: TcpState::Listen };
    story.at(3.2).told("server", Some(server()), listens);
    story.at(3.4902).state("server", TcpState::SynReceived, Established);
    story.at(3.4915).call(server(), "accept4", listening, 3.21, CallResult::Returned(4));
    story.at(3.4985).call(child("echo-server", 315), "recvfrom", on("server"), 3.492, CallResult::Returned(13));
    // The client.
    story.at(3.4894).state("client", Closed, SynSent);
    story.at(3.4900).state("client", SynSent, Established);
    story.at(3.4901).call(client(), "connect", on("client"), 3.4893, CallResult::Returned(0));
    story.at(3.4960).call(client(), "read", Some(DescriptorKind::Input), 3.4955, CallResult::Returned(13));
    story.at(3.4970).call(client(), "write", on("client"), 3.4965, CallResult::Returned(13));
    story.at(3.4995).call(client(), "recvfrom", on("client"), 3.4972, CallResult::Returned(13));
    story.at(6.4330).call(client(), "write", on("client"), 6.4325, CallResult::Returned(13));
    story.at(6.4355).told("client", None, KernelFact::ResetReceived { connection: connection("client") });
    story.at(6.4356).state("client", Established, Closed);
    story.at(6.4360).call(client(), "recvfrom", on("client"), 6.4335, failed("ECONNRESET"));
    story.at(6.4400).exited(client());
    // The server's second life.
    story.at(6.4352).told("server", None, KernelFact::ResetSent { connection: connection("server") });
    story
}

/// The story of [`crash_reboot`], of which the kernel of `host` told nothing from `since` on (in seconds).
pub fn without_witness(host: &str, since: f64) -> Story {
    let mut story = crash_reboot();
    let since = LabTime((since * 1e9) as u64);
    story.events.retain(|e| !matches!(&e.what, What::Kernel(told) if told.host == host && e.at >= since));
    story
}

/// A story of one life in which nothing happens but what the test tells.
pub fn quiet() -> Story {
    let mut story = Story::of(scenarios::bare("quiet", "Quiet", None));
    story.at(0.1).power_on("client", 1).at(0.2).power_on("server", 2);
    story.at(3.0).started("echo-server", 312).at(3.1).started("echo-client", 298);
    story
}
