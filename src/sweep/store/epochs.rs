//! Rows of a trial's `epochs.csv`.

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Scores};

use super::rows;

/// A row of a trial's `epochs.csv`: an [`EpochRecord`], flat.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    epoch: usize,
    steps: u64,
    lr: f64,
    train_loss: f64,
    train_accuracy: f64,
    train_top_k: f64,
    train_precision: f64,
    train_recall: f64,
    train_f1: f64,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    val_top_k: Option<f64>,
    val_precision: Option<f64>,
    val_recall: Option<f64>,
    val_f1: Option<f64>,
}

impl From<&EpochRecord> for Row {
    fn from(record: &EpochRecord) -> Row {
        let EpochRecord { epoch, steps, lr, train, validation } = *record;
        Row {
            epoch,
            steps,
            lr,
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            train_top_k: train.top_k,
            train_precision: train.precision,
            train_recall: train.recall,
            train_f1: train.f1,
            val_loss: validation.map(|scores| scores.loss),
            val_accuracy: validation.map(|scores| scores.accuracy),
            val_top_k: validation.map(|scores| scores.top_k),
            val_precision: validation.map(|scores| scores.precision),
            val_recall: validation.map(|scores| scores.recall),
            val_f1: validation.map(|scores| scores.f1),
        }
    }
}

impl From<Row> for EpochRecord {
    fn from(row: Row) -> EpochRecord {
        let validation = || {
            Some(Scores {
                loss: row.val_loss?,
                accuracy: row.val_accuracy?,
                top_k: row.val_top_k?,
                precision: row.val_precision?,
                recall: row.val_recall?,
                f1: row.val_f1?,
            })
        };
        EpochRecord {
            epoch: row.epoch,
            steps: row.steps,
            lr: row.lr,
            train: Scores {
                loss: row.train_loss,
                accuracy: row.train_accuracy,
                top_k: row.train_top_k,
                precision: row.train_precision,
                recall: row.train_recall,
                f1: row.train_f1,
            },
            validation: validation(),
        }
    }
}

/// The records in `bytes`, in order, up to the first whose row is torn, damaged or out of order.
pub(super) fn records(bytes: &[u8]) -> Vec<EpochRecord> {
    let rows = rows::read::<Row>(bytes).into_iter().map(EpochRecord::from);
    let in_order = rows.enumerate().take_while(|(index, record)| record.epoch == index + 1);
    in_order.map(|(_, record)| record).collect()
}
