//! Family `traces`.
