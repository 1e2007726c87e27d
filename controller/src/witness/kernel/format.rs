//! The kernel's own descriptions of its trace events: `events/SYSTEM/NAME/format` in tracefs, and `events/header_page`.
//!
//! Where a field lies differs from kernel to kernel; that text is the only promise there is
//! (Documentation/trace/events.rst, "Event formats"). So nothing here knows an offset.

/// What an event of one kind looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    /// The event's name, without its system: `sys_enter_read`.
    pub(super) name: String,
    /// Its number in this boot of this kernel, as records carry it.
    pub(super) id: u16,
    fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    offset: usize,
    size: usize,
    signed: bool,
    place: Place,
}

/// Where a field's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the field.
    Here,
    /// Elsewhere in the record: the field says offset and length, 16 bits each (`__data_loc`).
    Elsewhere,
    /// The same, the offset counted from the end of the field (`__rel_data_loc`).
    Behind,
    /// From the field's offset to the end of the record (`char buf[]`).
    Rest,
}

/// How a page of the ring buffer is laid out: `events/header_page`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageLayout {
    /// Where the length of the data is, and how many bytes that field has.
    pub(super) commit: (usize, usize),
    /// Where the data begins.
    pub(super) data: usize,
}

impl Format {
    /// Reads a `format` file. The error says what is missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
        let name = value("name:").filter(|name| !name.is_empty()).ok_or("it has no name")?;
        let id = value("ID:").and_then(|id| id.parse().ok()).ok_or("it has no ID")?;
        let fields: Vec<Field> = text.lines().filter_map(Field::parse).collect();
        if fields.is_empty() {
            return Err("it has no fields".to_owned());
        }
        Ok(Self { name: name.to_owned(), id, fields })
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Those of `names` that this kernel's event does not have.
    pub(super) fn missing<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| self.field(name).is_none()).collect()
    }

    /// The arguments of a `sys_enter_*` event in order: all its fields but those that every event has, the call's number,
    /// and what newer kernels add of their own accord (all of which begin with `__`).
    pub(super) fn arguments<'a>(&'a self, record: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
        let own = |field: &&Field| !field.name.starts_with("common_") && !field.name.starts_with("__");
        self.fields.iter().filter(own).map(|field| field.unsigned(record).unwrap_or_default())
    }
}

impl PageLayout {
    /// Reads `header_page`. The error says what is missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<Field> = text.lines().filter_map(Field::parse).collect();
        let named = |name: &str| fields.iter().find(|field| field.name == name).ok_or(format!("it has no {name}"));
        let (commit, data) = (named("commit")?, named("data")?);
        Ok(Self { commit: (commit.offset, commit.size), data: data.offset })
    }
}

impl Field {
    /// `field:__data_loc char[] name; offset:24; size:4; signed:0;`
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim().strip_prefix("field:")?.split(';').map(str::trim);
        let declaration = parts.next()?;
        let mut number = |key: &str| parts.next()?.strip_prefix(key)?.trim().parse::<usize>().ok();
        let (offset, size) = (number("offset:")?, number("size:")?);
        let signed = number("signed:").is_some_and(|signed| signed == 1);
        let place = match declaration.split_whitespace().next()? {
            "__data_loc" => Place::Elsewhere,
            "__rel_data_loc" => Place::Behind,
            _ if declaration.ends_with("[]") => Place::Rest,
            _ => Place::Here,
        };
        let name = declaration.split('[').next().filter(|_| place == Place::Here || place == Place::Rest);
        let name = name.unwrap_or(declaration).split_whitespace().last()?.trim_start_matches('*');
        Some(Self { name: name.to_owned(), offset, size, signed, place })
    }

    fn bytes<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let here = record.get(self.offset..self.offset.checked_add(self.size)?)?;
        let (offset, length) = match self.place {
            Place::Here => return Some(here),
            Place::Rest => return record.get(self.offset..),
            Place::Elsewhere | Place::Behind => {
                let word = u32::from_le_bytes(here.try_into().ok()?);
                ((word & 0xffff) as usize, (word >> 16) as usize)
            }
        };
        let offset = if self.place == Place::Behind { offset + self.offset + self.size } else { offset };
        record.get(offset..offset + length)
    }

    fn unsigned(&self, record: &[u8]) -> Option<u64> {
        let bytes = self.bytes(record)?;
        let mut word = [0; 8];
        word.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(word))
    }
}

/// One record of the trace, and what its kind looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) format: &'a Format,
    pub(super) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// A field's number; none if this kernel has no such field, or the record is too short.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let field = self.format.field(name)?;
        let value = field.unsigned(self.bytes)?;
        let shift = 64 - 8 * u32::try_from(field.size).ok()?.min(8);
        // Sign extension where the field has one; the bits above it are zero otherwise.
        let value = value.cast_signed();
        Some(if field.signed && shift > 0 && shift < 64 { value << shift >> shift } else { value })
    }

    /// A field's number, as the smaller type that it is for.
    pub(super) fn narrow<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        self.number(name).and_then(|value| T::try_from(value).ok())
    }

    /// A field's bytes.
    pub(super) fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.format.field(name)?.bytes(self.bytes)
    }

    /// A field's text, up to its NUL.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let bytes = self.bytes(name)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const RECEIVE: &str = "name: netif_receive_skb\nID: 1512\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:__data_loc char[] name;\toffset:16;\tsize:4;\tsigned:0;\n\
        \tfield:char comm[4];\toffset:20;\tsize:4;\tsigned:0;\n\
        \tfield:char buf[];\toffset:24;\tsize:0;\tsigned:0;\n\nprint fmt: \"dev=%s\", __get_str(name)\n";

    fn record() -> Vec<u8> {
        let mut bytes = vec![0xe8, 5, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 0, 0, 0, 0, 0, 0x80, 24, 0, 5, 0];
        bytes.extend(b"sh\0!eth0\0");
        bytes
    }

    #[test]
    fn fields_are_read_where_the_kernel_says_they_are() {
        let format = Format::parse(RECEIVE).unwrap();
        assert_eq!((format.name.as_str(), format.id), ("netif_receive_skb", 1512));
        let bytes = record();
        let record = Record { format: &format, bytes: &bytes };
        assert_eq!(record.number("common_type"), Some(1512));
        assert_eq!(record.number("common_pid"), Some(-1));
        assert_eq!(record.narrow::<u32>("common_pid"), None);
        assert_eq!(record.number("skbaddr").map(i64::cast_unsigned), Some(0x8000_0000_0000_0201));
        assert_eq!(record.text("name").as_deref(), Some("eth0"));
        assert_eq!(record.text("comm").as_deref(), Some("sh"));
        assert_eq!(record.text("buf").as_deref(), Some("eth0"));
        assert_eq!(record.text("gone"), None);
        assert_eq!(format.missing(&["name", "gone"]), ["gone"]);
    }

    #[test]
    fn what_a_short_record_does_not_hold_is_not_there() {
        let format = Format::parse(RECEIVE).unwrap();
        let bytes = record();
        for length in 0..bytes.len() {
            let record = Record { format: &format, bytes: &bytes[..length] };
            assert_eq!(record.text("name"), None, "{length} bytes");
        }
    }

    #[test]
    fn a_file_that_describes_nothing_is_refused() {
        assert_eq!(Format::parse("ID: 3\n").unwrap_err(), "it has no name");
        assert_eq!(Format::parse("name: a\nID: 70000\n").unwrap_err(), "it has no ID");
        assert_eq!(Format::parse("name: a\nID: 7\n").unwrap_err(), "it has no fields");
        let page = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
            \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
        assert_eq!(PageLayout::parse(page), Ok(PageLayout { commit: (8, 8), data: 16 }));
        assert!(PageLayout::parse("").is_err());
    }
}
