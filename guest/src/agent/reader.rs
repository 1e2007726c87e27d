//! Messages out of what comes over the line, in whatever pieces it comes.

use super::message::{HEAD, Message};
use std::marker::PhantomData;

/// Reads the messages of one direction.
#[derive(Debug)]
pub struct Reader<M> {
    bytes: Vec<u8>,
    message: PhantomData<M>,
}

impl<M> Default for Reader<M> {
    fn default() -> Self {
        Self { bytes: Vec::new(), message: PhantomData }
    }
}

impl<M: Message> Reader<M> {
    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it has come whole.
    ///
    /// # Errors
    /// In a clause: what came is no message. Nothing after it can be understood either.
    #[allow(clippy::should_implement_trait)] // An iterator that can fail is none.
    pub fn next(&mut self) -> Result<Option<M>, String> {
        match self.bytes.first() {
            Some(first) if *first != M::FIRST => {
                return Err(format!("where a message should begin came {}", self.shown()));
            }
            _ => {}
        }
        let Some(&[_, kind, low, high]) = self.bytes.first_chunk::<HEAD>() else { return Ok(None) };
        let end = HEAD + usize::from(u16::from_le_bytes([low, high]));
        let Some(body) = self.bytes.get(HEAD..end) else { return Ok(None) };
        let message = M::read(kind, body).ok_or_else(|| format!("no message of kind {kind} is {}", self.shown()))?;
        self.bytes.drain(..end);
        Ok(Some(message))
    }

    /// The first bytes, as a person may recognise them.
    fn shown(&self) -> String {
        format!("\"{}\"", self.bytes[..self.bytes.len().min(60)].escape_ascii())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::message::{How, Order, Stream, Word};
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Debug;

    fn order() -> impl Strategy<Value = Order> {
        let bytes = prop::collection::vec(any::<u8>(), 0..5000);
        prop_oneof![
            (any::<u32>(), any::<bool>(), ".*").prop_map(|(channel, terminal, command)| Order::Open {
                channel,
                terminal,
                command
            }),
            (any::<u32>(), bytes).prop_map(|(channel, bytes)| Order::Input { channel, bytes }),
            any::<u32>().prop_map(|channel| Order::EndInput { channel }),
            any::<u32>().prop_map(|channel| Order::Close { channel }),
        ]
    }

    fn word() -> impl Strategy<Value = Word> {
        let bytes = prop::collection::vec(any::<u8>(), 0..5000);
        let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
        let how = prop_oneof![any::<i32>().prop_map(How::Exit), ".*".prop_map(How::Signal)];
        prop_oneof![
            (any::<u32>(), stream, bytes).prop_map(|(channel, stream, bytes)| Word::Output { channel, stream, bytes }),
            (any::<u32>(), how).prop_map(|(channel, how)| Word::Ended { channel, how }),
            (any::<u32>(), ".*").prop_map(|(channel, why)| Word::Refused { channel, why }),
            any::<u32>().prop_map(|bytes| Word::Heard { bytes }),
        ]
    }

    /// All of `messages`, however they are cut.
    fn comes_whole<M: Message + Debug + PartialEq>(messages: Vec<M>, cuts: &[usize]) {
        let mut line = Vec::new();
        for message in &messages {
            message.encode(&mut line).unwrap();
        }
        let mut reader = Reader::<M>::default();
        let mut read = Vec::new();
        let mut rest = line.as_slice();
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            reader.push(piece);
            while let Some(message) = reader.next().unwrap() {
                read.push(message);
            }
        }
        assert_eq!(read, messages);
        assert!(reader.bytes.is_empty());
    }

    proptest! {
        #[test]
        fn orders_come_whole(orders in prop::collection::vec(order(), 0..5), cuts in prop::collection::vec(0..3000_usize, 0..20)) {
            comes_whole(orders, &cuts);
        }

        #[test]
        fn words_come_whole(words in prop::collection::vec(word(), 0..5), cuts in prop::collection::vec(0..9_usize, 0..200)) {
            comes_whole(words, &cuts);
        }

        #[test]
        fn anything_at_all_is_borne(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::<Order>::default();
            reader.push(&[Order::FIRST]);
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.next() {}
        }
    }

    #[test]
    fn what_is_no_message_is_told_and_stays_an_error() {
        let mut reader = Reader::<Word>::default();
        Word::Heard { bytes: 7 }.encode(&mut reader.bytes).unwrap();
        reader.push(b"[    1.5] serial8250: overrun\n");
        assert_eq!(reader.next(), Ok(Some(Word::Heard { bytes: 7 })));
        let why = "where a message should begin came \"[    1.5] serial8250: overrun\\n\"";
        assert_eq!([reader.next(), reader.next()], [Err(why.to_owned()), Err(why.to_owned())]);
    }

    #[test]
    fn the_other_sides_messages_and_torn_bodies_are_none() {
        let mut reader = Reader::<Order>::default();
        Word::Heard { bytes: 7 }.encode(&mut reader.bytes).unwrap();
        assert!(reader.next().is_err());
        for (kind, body) in
            [(0, &[0; 4][..]), (1, &[0; 4]), (1, &[0, 0, 0, 0, 2]), (2, &[0; 3]), (3, &[0; 5]), (9, &[0; 4])]
        {
            assert_eq!(Order::read(kind, body), None, "{kind} {body:?}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_and_leaves_the_line_as_it_was() {
        let mut line = vec![1];
        let open = |letters| Order::Open { channel: 0, terminal: false, command: "x".repeat(letters) };
        assert!(open(65_531).encode(&mut line).is_err());
        assert_eq!(line, [1]);
        open(65_530).encode(&mut line).unwrap();
        assert_eq!(line.len(), 1 + 4 + 65_535);
    }
}
