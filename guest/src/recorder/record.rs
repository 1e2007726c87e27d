//! What is recorded.

use std::fmt;

/// A tracing instance of the guest's kernel: each has trace buffers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Instance {
    /// `deadpeer`: what traced programs do.
    Programs,
    /// `deadpeer-host`: what happens on the whole host.
    Host,
}

impl Instance {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Programs, Self::Host];

    /// The name of its folder in tracefs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Programs => "deadpeer",
            Self::Host => "deadpeer-host",
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A record's content. The guest copies; whatever must be understood is understood by who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A boot began to be recorded. What comes next is of this boot.
    Boot {
        /// `/proc/sys/kernel/random/boot_id`.
        boot_id: String,
        /// As uname(2) tells it: `6.12.48+deb13-cloud-amd64`.
        release: String,
        /// The witness's own version.
        witness: String,
        /// Size of a page of a trace buffer, in bytes.
        page_size: u32,
        /// How many processors there are.
        cpus: u32,
    },
    /// How a kind of trace event is laid out, in the kernel's own words: the text of `events/NAME/format`, or of
    /// `events/header_page` and `events/header_event`.
    Format {
        /// `tcp/tcp_send_reset`, `header_page`.
        name: String,
        /// The text.
        text: String,
    },
    /// A page of a trace buffer as `per_cpu/cpuN/trace_pipe_raw` gave it, without the unused rest.
    Page {
        /// Of this instance.
        instance: Instance,
        /// Of this processor.
        cpu: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The text of `per_cpu/cpuN/stats`, when it told of a loss for the first time or of a greater one.
    Loss {
        /// Of this instance.
        instance: Instance,
        /// Of this processor.
        cpu: u32,
        /// `overrun: 12`, `commit overrun: 0`, `dropped events: 0` and other lines.
        stats: String,
    },
    /// Every trace buffer was empty: all that happened until then is recorded.
    Drained {
        /// Until when: nanoseconds of `CLOCK_BOOTTIME`, which is the trace clock.
        until: u64,
    },
    /// Both clocks: the host's, as it had just been told, and then the guest's. So when the guest's said this, the host's said that
    /// or more.
    Clock {
        /// Nanoseconds of the host's, whatever they count from.
        host: u64,
        /// Nanoseconds of `CLOCK_BOOTTIME`.
        guest: u64,
    },
    /// What the kernel reads its clock from.
    ClockSource {
        /// `hpet`, `kvm-clock`, as `current_clocksource` in sysfs tells it.
        name: String,
    },
    /// What this kernel, or this guest, cannot do: an event that does not exist, a feature that is missing.
    Problem {
        /// What it concerns: an event (`tcp/tcp_send_reset`), a feature (`kprobes`), or `witness` itself.
        what: String,
        /// Why.
        why: String,
    },
}

impl Record {
    /// The number that stands for the kind.
    pub(super) fn tag(&self) -> u32 {
        match self {
            Self::Boot { .. } => 1,
            Self::Format { .. } => 2,
            Self::Page { .. } => 3,
            Self::Loss { .. } => 4,
            Self::Drained { .. } => 5,
            Self::Problem { .. } => 6,
            Self::Clock { .. } => 7,
            Self::ClockSource { .. } => 8,
        }
    }

    /// Appends the payload to `bytes`.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Boot { boot_id, release, witness, page_size, cpus } => {
                bytes.extend(page_size.to_le_bytes());
                bytes.extend(cpus.to_le_bytes());
                [boot_id, release, witness].into_iter().for_each(|text| put(bytes, text));
            }
            Self::Format { name: first, text: second } | Self::Problem { what: first, why: second } => {
                put(bytes, first);
                put(bytes, second);
            }
            Self::ClockSource { name } => put(bytes, name),
            Self::Page { instance, cpu, bytes: page } => {
                buffer(bytes, *instance, *cpu);
                bytes.extend(page);
            }
            Self::Loss { instance, cpu, stats } => {
                buffer(bytes, *instance, *cpu);
                bytes.extend(stats.as_bytes());
            }
            Self::Drained { until } => bytes.extend(until.to_le_bytes()),
            Self::Clock { host, guest } => [host, guest].iter().for_each(|time| bytes.extend(time.to_le_bytes())),
        }
    }

    /// The record of this kind with this payload; `None` if there is none such.
    pub(super) fn decode(tag: u32, payload: &[u8]) -> Option<Self> {
        let mut rest = Rest(payload);
        let record = match tag {
            1 => {
                let (page_size, cpus) = (rest.number()?, rest.number()?);
                Self::Boot { boot_id: rest.text()?, release: rest.text()?, witness: rest.text()?, page_size, cpus }
            }
            2 => Self::Format { name: rest.text()?, text: rest.text()? },
            3 => Self::Page { instance: rest.instance()?, cpu: rest.number()?, bytes: rest.take_all().to_vec() },
            4 => Self::Loss {
                instance: rest.instance()?,
                cpu: rest.number()?,
                stats: String::from_utf8(rest.take_all().to_vec()).ok()?,
            },
            5 => Self::Drained { until: rest.time()? },
            6 => Self::Problem { what: rest.text()?, why: rest.text()? },
            7 => Self::Clock { host: rest.time()?, guest: rest.time()? },
            8 => Self::ClockSource { name: rest.text()? },
            _ => return None,
        };
        rest.0.is_empty().then_some(record)
    }
}

/// A text, after its length.
fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Which trace buffer.
fn buffer(bytes: &mut Vec<u8>, instance: Instance, cpu: u32) {
    let number: u32 = match instance {
        Instance::Programs => 0,
        Instance::Host => 1,
    };
    bytes.extend(number.to_le_bytes());
    bytes.extend(cpu.to_le_bytes());
}

/// The rest of a payload.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn time(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn instance(&mut self) -> Option<Instance> {
        Instance::ALL.get(usize::try_from(self.number()?).ok()?).copied()
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}
