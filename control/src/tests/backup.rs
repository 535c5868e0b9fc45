//! `postern backup`: a copy of the store while it is being written.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use super::{House, alices, ground::Ground};
use crate::{
    clock::HandClock,
    store::{BackupError, Place, back_up},
};

#[tokio::test]
async fn a_copy_made_while_the_store_is_written_is_a_whole_store() {
    let clock = HandClock::new();
    let house = House::on(Ground::sqlite().into(), Arc::clone(&clock)).await.with_people().await;
    let before = house.filed().await;
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join("control.db");
    let Place::Sqlite(file) = house.ground.place() else { panic!("this is a file") };
    let admin = house.admin.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..20 {
            admin.post("/v1/requests", alices("1h")).await.expect(201);
        }
    });
    back_up(file, &copy).await.unwrap();
    writing.await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(copied.path()).unwrap().count(), 1);
    let restored = House::on(Ground::at(copied).into(), clock).await;
    let token = house.admin.token.clone();
    let old = super::Client { url: restored.url.clone(), token, ..restored.admin.clone() };
    assert_eq!(old.get(&format!("/v1/requests/{before}")).await.expect(200)["status"], "PENDING");
}

#[tokio::test]
async fn a_file_that_is_there_is_not_overwritten_and_nothing_is_left_of_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, store) = (folder.path().join("copy"), folder.path().join("control.db"));
    std::fs::write(&copy, "precious").unwrap();
    let error = back_up(&store, &copy).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious");
    assert!(back_up(Path::new("/nonexistent/control.db"), &folder.path().join("other")).await.is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
