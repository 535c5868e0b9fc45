// What an application does with mysql2. Prints what it sees, for comparison with a direct connection.
const fs = require("fs");
const mysql = require("mysql2/promise");

const access = {
  host: process.env.DB_HOST,
  port: Number(process.env.DB_PORT),
  user: process.env.DB_USER,
  password: process.env.DB_PASSWORD,
  database: process.env.DB_NAME,
  multipleStatements: true,
};
if (process.env.DB_CA) access.ssl = { ca: fs.readFileSync(process.env.DB_CA), rejectUnauthorized: true };

async function main() {
  const connection = await mysql.createConnection(access);
  const show = (value) => console.log(JSON.stringify(value));
  await connection.query("create table app (id int primary key auto_increment, name varchar(50), doc json, raw blob, at datetime)");
  for (let n = 0; n < 20; n++) {
    const [answer] = await connection.execute("insert into app (name, doc, raw, at) values (?, ?, ?, ?)", [
      `näme ${n}`, JSON.stringify({ n }), Buffer.from([n, 0, 255]), new Date(Date.UTC(2024, 1, 29, n)),
    ]);
    if (n === 19) show(answer);
  }
  const [rows, fields] = await connection.execute("select * from app where id > ? order by id", [17]);
  show(rows);
  show(fields.map((field) => [field.name, field.orgTable, field.columnType, field.flags, field.characterSet, field.columnLength]));
  const [several] = await connection.query("select 1 as one; set @a = 2; select @a as two, 'ü' as u");
  show(several);
  for (const wrong of ["select * from nowhere", "insert into app (id) values (1)", "selec", "select 1; select broken"]) {
    try {
      await connection.query(wrong);
    } catch (error) {
      console.log(error.code, error.errno, error.sqlState, error.sqlMessage);
    }
  }
  await connection.beginTransaction();
  await connection.query("delete from app");
  await connection.rollback();
  show((await connection.query("select count(*) as n from app"))[0]);
  show((await connection.query("select 1/0 as x; show warnings"))[0]);
  const statement = await connection.prepare("select id, name from app where id = ?");
  for (const id of [1, 2, 999]) show((await statement.execute([id]))[0]);
  await statement.close();
  const stream = connection.connection.query("select id from app order by id").stream();
  let sum = 0;
  for await (const row of stream) sum += row.id;
  show(sum);
  fs.writeFileSync("upload.csv", [...Array(500).keys()].map((n) => `${n + 1000},uploaded ${n}\n`).join(""));
  const [loaded] = await connection.query({
    sql: "load data local infile 'upload.csv' into table app fields terminated by ',' (id, name)",
    infileStreamFactory: () => fs.createReadStream("upload.csv"),
  });
  show([loaded.affectedRows, loaded.info]);
  await connection.query({ sql: "select sleep(600)", timeout: 300 }).catch((error) => console.log(error.code));
  connection.destroy();
  const other = await mysql.createConnection(access);
  await other.ping();
  await other.changeUser({ database: "hr" }).then(
    () => console.log("changed"),
    (error) => console.log(error.code),
  );
  show((await other.query("select database() as d"))[0]);
  await other.query("drop table shop.app");
  await other.end();

  const pool = mysql.createPool({ ...access, connectionLimit: 6 });
  const sums = await Promise.all([...Array(40).keys()].map((n) => pool.execute("select ? + 1 as sum", [n])));
  console.log(sums.map(([rows]) => rows[0].sum).join());
  await pool.end();
}

setTimeout(() => process.exit(1), 100_000).unref(); // nobody waits for an application that hangs
main().then(() => process.exit(0)).catch((error) => {
  console.error(error);
  process.exit(1);
});
