//! The room `conductor`.
