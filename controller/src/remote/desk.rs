//! Where callers hand in what they want of a host, and whoever carries errands finds it.

use super::errand::{Errand, Task};
use crate::error::{Error, Result};
use nix::sys::eventfd::EventFd;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

/// What callers ask.
pub(super) enum Order {
    /// Carry out an errand, known by this number from now on.
    Go(u32, Errand),
    /// Give more to read to the errand with this number; then tell whether it still goes on.
    Say(u32, Vec<u8>, Sender<bool>),
    /// Have the errand's ear tell what it kept back.
    Settle(u32, Sender<()>),
    /// End the session in order.
    Quit,
}

/// How callers hand it in. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    orders: Sender<Order>,
    /// Rung at each order, where a thread sleeps until there is one.
    bell: Option<Arc<EventFd>>,
}

impl Desk {
    pub(super) fn new(orders: Sender<Order>, bell: Option<Arc<EventFd>>) -> Self {
        Self { orders, bell }
    }

    /// Hands in an order. An error: the session is over.
    pub(super) fn order(&self, order: Order) -> Result<()> {
        self.orders.send(order).map_err(|_| gone())?;
        if let Some(bell) = &self.bell {
            // Cannot fail but by overflow, and then the bell rings already.
            let _ = bell.write(1);
        }
        Ok(())
    }
}

/// The error for whoever asks something of a session that is over.
pub(super) fn gone() -> Error {
    Error::broken("the control connection to the host is over")
}

/// Takes what was handed in: an errand is taken on and added to what is `under_way`. False: the session is to end.
pub(super) fn take_orders<T: AsMut<Task>>(
    orders: &Receiver<Order>,
    under_way: &mut BTreeMap<u32, T>,
    take_on: impl Fn(Errand) -> T,
) -> bool {
    loop {
        match orders.try_recv() {
            Ok(Order::Go(id, errand)) => {
                under_way.insert(id, take_on(errand));
            }
            Ok(Order::Say(id, bytes, answer)) => {
                let taken = under_way.get_mut(&id).is_some_and(|it| it.as_mut().say(&bytes));
                // Whoever asked and does not wait for the answer does not care.
                let _ = answer.send(taken);
            }
            Ok(Order::Settle(id, answer)) => {
                if let Some(it) = under_way.get_mut(&id) {
                    it.as_mut().settle();
                }
                // As above.
                let _ = answer.send(());
            }
            Ok(Order::Quit) | Err(TryRecvError::Disconnected) => return false,
            Err(TryRecvError::Empty) => return true,
        }
    }
}
