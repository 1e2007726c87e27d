//! The room `cable`.
