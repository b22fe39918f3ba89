//! Measured values of machines: three days, four times a day.

use serde::{Deserialize, Serialize};

/// Everything measured on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// Name of the machine.
    pub machine: String,
    /// The readings, by quantity and time.
    pub readings: Vec<Reading>,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Date.
    pub day: String,
    /// Time of day.
    pub time: String,
    /// What was measured.
    pub quantity: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// The values of one quantity of one machine.
struct Series {
    machine: &'static str,
    quantity: &'static str,
    unit: &'static str,
    values: [[f64; 4]; 3],
}

const DAYS: [&str; 3] = ["2026-03-02", "2026-03-03", "2026-03-04"];
const TIMES: [&str; 4] = ["00:00", "06:00", "12:00", "18:00"];

const SERIES: [Series; 5] = [
    Series {
        machine: "P-100",
        quantity: "vibration",
        unit: "mm/s",
        values: [
            [3.8, 3.9, 4.1, 4.0],
            [4.0, 4.1, 4.3, 4.1],
            [4.2, 4.6, 9.7, 4.7],
        ],
    },
    Series {
        machine: "P-100",
        quantity: "temperature",
        unit: "°C",
        values: [
            [58.2, 58.9, 61.4, 60.7],
            [58.8, 59.3, 62.1, 61.0],
            [59.4, 60.2, 66.8, 63.5],
        ],
    },
    Series {
        machine: "P-200",
        quantity: "vibration",
        unit: "mm/s",
        values: [
            [2.1, 2.2, 2.2, 2.1],
            [2.2, 2.2, 2.3, 2.2],
            [2.2, 2.3, 2.3, 2.2],
        ],
    },
    Series {
        machine: "P-200",
        quantity: "temperature",
        unit: "°C",
        values: [
            [180.4, 180.9, 182.6, 181.7],
            [180.6, 181.2, 183.1, 181.9],
            [180.8, 181.8, 184.0, 183.3],
        ],
    },
    Series {
        machine: "C-30",
        quantity: "pressure",
        unit: "bar",
        values: [
            [7.4, 7.5, 7.2, 7.4],
            [7.5, 7.5, 7.1, 7.3],
            [7.4, 7.5, 6.9, 7.2],
        ],
    },
];

impl Measurements {
    /// The readings of `machine`; `None` for a machine nobody measures. `changed` gives other values.
    pub(super) fn of(machine: &str, changed: bool) -> Option<Self> {
        let readings: Vec<_> = SERIES
            .iter()
            .filter(|series| series.machine == machine)
            .flat_map(|series| series.readings(changed))
            .collect();
        (!readings.is_empty()).then(|| Self {
            machine: machine.to_owned(),
            readings,
        })
    }
}

impl Series {
    fn readings(&self, changed: bool) -> impl Iterator<Item = Reading> {
        let shift = if changed { 1.0 } else { 0.0 };
        DAYS.iter()
            .zip(&self.values)
            .flat_map(move |(day, values)| {
                TIMES.iter().zip(values).map(move |(time, value)| Reading {
                    day: (*day).to_owned(),
                    time: (*time).to_owned(),
                    quantity: self.quantity.to_owned(),
                    value: value + shift,
                    unit: self.unit.to_owned(),
                })
            })
    }
}
