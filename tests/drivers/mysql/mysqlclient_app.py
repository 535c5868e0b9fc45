"""What an application does with mysqlclient. Prints what it sees, for comparison with a direct connection."""

import faulthandler
import os

import MySQLdb
import MySQLdb.constants.CLIENT
import MySQLdb.cursors

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

access = dict(
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    user=os.environ["DB_USER"],
    passwd=os.environ["DB_PASSWORD"],
    db=os.environ["DB_NAME"],
    charset="utf8mb4",
    client_flag=MySQLdb.constants.CLIENT.MULTI_STATEMENTS,
)
if os.environ["DB_CA"]:
    access["ssl"] = {"ca": os.environ["DB_CA"]}

connection = MySQLdb.connect(**access)
print(connection.get_server_info(), connection.character_set_name(), connection.get_host_info())
cursor = connection.cursor()
cursor.execute("create table app (id int primary key auto_increment, name varchar(50), raw blob, at datetime)")
rows = [(f"näme {n}", bytes([n, 0, 255]), "2024-02-29 12:00:00") for n in range(100)]
print(cursor.executemany("insert into app (name, raw, at) values (%s, %s, %s)", rows), connection.info())
connection.commit()
cursor.execute("select * from app where id > %s order by id", (97,))
print(cursor.fetchall(), cursor.description)
for wrong in ("select nonsense", "insert into app (id) values (1)", "selec"):
    try:
        cursor.execute(wrong)
    except MySQLdb.Error as error:
        print(type(error).__name__, error.args)
cursor.execute("select 1/0")
print(cursor.fetchall(), connection.warning_count(), connection.show_warnings())
cursor.execute("delete from app")
connection.rollback()
streaming = connection.cursor(MySQLdb.cursors.SSCursor)
streaming.execute("select id from app order by id")
print(streaming.fetchone(), len(streaming.fetchall()))
streaming.close()
connection.query("select 1; select 'two'; select broken")
while True:
    print(connection.store_result().fetch_row(maxrows=0))
    try:
        if connection.next_result() == -1:
            break
    except MySQLdb.Error as error:
        print(error.args)
        break
connection.ping()
connection.select_db("hr")
cursor = connection.cursor()
cursor.execute("select database(), @@character_set_client")
print(cursor.fetchall())
cursor.execute("drop table shop.app")
connection.close()
