// What an application does with MariaDB's connector for Node. Prints what it sees, for comparison with a direct one.
const fs = require("fs");
const mariadb = require("mariadb");

const access = {
  host: process.env.DB_HOST,
  port: Number(process.env.DB_PORT),
  user: process.env.DB_USER,
  password: process.env.DB_PASSWORD,
  database: process.env.DB_NAME,
  multipleStatements: true,
  permitLocalInfile: true,
};
if (process.env.DB_CA) access.ssl = { ca: fs.readFileSync(process.env.DB_CA), rejectUnauthorized: true };

async function main() {
  const show = (value) => console.log(JSON.stringify(value, (key, v) => (typeof v === "bigint" ? `${v}n` : v)));
  const connection = await mariadb.createConnection(access);
  console.log(connection.serverVersion(), connection.info.collation.name);
  await connection.query("create table app (id int primary key auto_increment, name varchar(50), price decimal(12,2), raw blob)");
  const rows = [...Array(100).keys()].map((n) => [`näme ${n}`, n / 4, Buffer.from([n, 0, 255])]);
  await connection.batch("insert into app (name, price, raw) values (?, ?, ?)", rows);
  show(await connection.query("select count(*), sum(price) from app"));
  show(await connection.query("select * from app where id > ? order by id", [97]));
  show(await connection.execute("select id, name, price, raw from app where id = ?", [5]));
  const answer = await connection.query({ sql: "select id, 'ü' as u, 1.5 as d from app limit 1", metaAsArray: true });
  show(answer[1].map((column) => [column.name(), column.orgTable(), column.type, column.columnLength, column.flags]));
  show(await connection.query("select 1 as one; set @a = 2; select @a as two"));
  for (const wrong of ["select * from nowhere", "insert into app (id) values (1)", "selec"]) {
    try {
      await connection.query(wrong);
    } catch (error) {
      console.log(error.code, error.errno, error.sqlState, error.sqlMessage);
    }
  }
  await connection.beginTransaction();
  await connection.query("delete from app");
  await connection.rollback();
  show(await connection.query("select count(*) as n from app"));
  const statement = await connection.prepare("select name from app where id = ?");
  for (const id of [1, 2, 999]) show(await statement.execute([id]));
  statement.close();
  let sum = 0;
  for await (const row of connection.queryStream("select id from app order by id")) sum += row.id;
  show(sum);
  fs.writeFileSync("upload.csv", [...Array(500).keys()].map((n) => `${n + 1000},uploaded ${n}\n`).join(""));
  show((await connection.query("load data local infile 'upload.csv' into table app fields terminated by ',' (id, name)")).affectedRows);
  await connection.query("set @kept = 5");
  await connection.reset();
  show(await connection.query("select @kept as kept, database() as d"));
  await connection.ping();
  await connection.query("drop table app");
  await connection.end();

  const pool = mariadb.createPool({ ...access, connectionLimit: 6 });
  const sums = await Promise.all([...Array(40).keys()].map((n) => pool.execute("select ? + 1 as sum", [n])));
  console.log(sums.map((rows) => rows[0].sum).join());
  await pool.end();
}

setTimeout(() => process.exit(1), 100_000).unref(); // nobody waits for an application that hangs
main().then(() => process.exit(0)).catch((error) => {
  console.error(error);
  process.exit(1);
});
