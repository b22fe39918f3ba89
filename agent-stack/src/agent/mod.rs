//! The agent: takes a task, asks the model for a plan, carries it out over MCP and answers.

pub mod event;
