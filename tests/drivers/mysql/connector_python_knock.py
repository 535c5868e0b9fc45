"""Connects with a wish in its connection attributes, and prints those that the database knows of."""

import faulthandler
import os

import mysql.connector

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

connection = mysql.connector.connect(
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"],
    ssl_ca=os.environ["DB_CA"],
    ssl_verify_cert=True,
    connection_timeout=60,
    use_pure=True,
    conn_attrs={"postern_reason": "INC-42", "postern_duration": "30m", "program_name": "knocker"},
)
cursor = connection.cursor()
cursor.execute(
    "select attr_name, attr_value from performance_schema.session_account_connect_attrs"
    " where processlist_id = connection_id() and attr_name not like '\\\\_%' order by attr_name"
)
print(cursor.fetchall())
