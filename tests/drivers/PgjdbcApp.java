// What an application does with pgjdbc. Prints what it sees, for comparison with a direct connection.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class PgjdbcApp {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        for (String mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
            Properties properties = new Properties();
            properties.setProperty("user", System.getenv("PGUSER"));
            properties.setProperty("password", System.getenv("PGPASSWORD"));
            properties.setProperty("sslmode", "disable");
            properties.setProperty("preferQueryMode", mode);
            properties.setProperty("prepareThreshold", "2");
            try (Connection connection = DriverManager.getConnection(url, properties)) {
                System.out.println("== " + mode);
                run(connection);
            }
        }
    }

    private static void run(Connection connection) throws Exception {
        DatabaseMetaData about = connection.getMetaData();
        System.out.println(about.getDatabaseProductVersion() + " " + about.getUserName());
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table app (id int primary key, name text, price numeric, at timestamp)");
        }
        connection.setAutoCommit(false);
        try (PreparedStatement insert = connection.prepareStatement("insert into app values (?, ?, ?, ?)")) {
            for (int n = 0; n < 500; n++) {
                insert.setInt(1, n);
                insert.setString(2, "näme " + n);
                insert.setBigDecimal(3, new java.math.BigDecimal(n).movePointLeft(2));
                insert.setTimestamp(4, Timestamp.valueOf("2024-02-29 12:00:00"));
                insert.addBatch();
            }
            System.out.println(Arrays.stream(insert.executeBatch()).sum());
        }
        connection.commit();
        try (PreparedStatement select = connection.prepareStatement("select * from app where id >= ? order by id")) {
            select.setFetchSize(50);
            for (int round = 0; round < 4; round++) {
                select.setInt(1, round * 100);
                long count = 0;
                try (ResultSet rows = select.executeQuery()) {
                    while (rows.next()) count += rows.getInt(1) + rows.getString(2).length() + rows.getBigDecimal(3).scale();
                }
                System.out.println(count);
            }
        }
        Savepoint savepoint = connection.setSavepoint();
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("insert into app (id) values (1)");
        } catch (SQLException error) {
            System.out.println(error.getSQLState() + " " + error.getMessage());
            connection.rollback(savepoint);
        }
        connection.commit();
        CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
        System.out.println(copy.copyIn("copy app (id, name) from stdin", new StringReader("1000\tone\n1001\ttwo\n")));
        StringWriter out = new StringWriter();
        System.out.println(copy.copyOut("copy (select id, name from app where id > 998) to stdout", out) + " " + out);
        connection.commit();
        cancel(connection);
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement()) {
            statement.execute("do $$ begin raise warning 'noticed'; end $$");
            System.out.println(statement.getWarnings());
            statement.execute("listen tide");
            statement.execute("notify tide, 'in'");
            var heard = connection.unwrap(PGConnection.class).getNotifications(5000);
            System.out.println(heard[0].getName() + " " + heard[0].getParameter());
            statement.execute("drop table app");
        }
    }

    private static void cancel(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    statement.cancel();
                } catch (Exception error) {
                    System.out.println(error);
                }
            });
            canceller.start();
            try {
                statement.execute("select pg_sleep(600)");
            } catch (SQLException error) {
                System.out.println("cancelled " + error.getSQLState());
            }
            canceller.join();
        }
        connection.rollback();
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.execute("select pg_sleep(600)");
        } catch (SQLException error) {
            System.out.println("timed out " + error.getSQLState());
        }
        connection.rollback();
    }
}
