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

/// What is measured.
#[derive(Clone, Copy)]
enum Quantity {
    Vibration,
    Temperature,
    Pressure,
}

impl Quantity {
    const fn name(self) -> &'static str {
        match self {
            Self::Vibration => "vibration",
            Self::Temperature => "temperature",
            Self::Pressure => "pressure",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Vibration => "mm/s",
            Self::Temperature => "°C",
            Self::Pressure => "bar",
        }
    }
}

/// The values of one quantity of one machine: a row for each day, a value for each time.
struct Series(&'static str, Quantity, [[f64; 4]; 3]);

const DAYS: [&str; 3] = ["2026-03-02", "2026-03-03", "2026-03-04"];
const TIMES: [&str; 4] = ["00:00", "06:00", "12:00", "18:00"];

const SERIES: [Series; 5] = [
    Series(
        "P-100",
        Quantity::Vibration,
        [
            [3.8, 3.9, 4.1, 4.0],
            [4.0, 4.1, 4.3, 4.1],
            [4.2, 4.6, 9.7, 4.7],
        ],
    ),
    Series(
        "P-100",
        Quantity::Temperature,
        [
            [58.2, 58.9, 61.4, 60.7],
            [58.8, 59.3, 62.1, 61.0],
            [59.4, 60.2, 66.8, 63.5],
        ],
    ),
    Series(
        "P-200",
        Quantity::Vibration,
        [
            [2.1, 2.2, 2.2, 2.1],
            [2.2, 2.2, 2.3, 2.2],
            [2.2, 2.3, 2.3, 2.2],
        ],
    ),
    Series(
        "P-200",
        Quantity::Temperature,
        [
            [180.4, 180.9, 182.6, 181.7],
            [180.6, 181.2, 183.1, 181.9],
            [180.8, 181.8, 184.0, 183.3],
        ],
    ),
    Series(
        "C-30",
        Quantity::Pressure,
        [
            [7.4, 7.5, 7.2, 7.4],
            [7.5, 7.5, 7.1, 7.3],
            [7.4, 7.5, 6.9, 7.2],
        ],
    ),
];

impl Measurements {
    /// The readings of `machine`; `None` for a machine nobody measures. `changed` gives other values.
    pub(super) fn of(machine: &str, changed: bool) -> Option<Self> {
        let readings: Vec<_> = SERIES
            .iter()
            .filter(|Series(name, ..)| *name == machine)
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
        let Self(_, quantity, values) = self;
        let shift = if changed { 1.0 } else { 0.0 };
        DAYS.iter().zip(values).flat_map(move |(day, values)| {
            TIMES.iter().zip(values).map(move |(time, value)| Reading {
                day: (*day).to_owned(),
                time: (*time).to_owned(),
                quantity: quantity.name().to_owned(),
                value: value + shift,
                unit: quantity.unit().to_owned(),
            })
        })
    }
}
