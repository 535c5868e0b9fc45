// What an application does with MariaDB Connector/J. Prints what it sees, for comparison with a direct connection.

import java.sql.*;
import java.util.Arrays;
import java.util.Properties;

public class ConnectorJApp {
    private static final String SLOW =
        "select sum(a.id) from app a, app b, app c, app d where a.price + b.price + c.price + d.price < 0";

    public static void main(String[] arguments) throws Exception {
        Thread watchdog = new Thread(ConnectorJApp::hang);
        watchdog.setDaemon(true);
        watchdog.start();
        String port = System.getenv("DB_PORT");
        String url = "jdbc:mariadb://127.0.0.1:" + port + "/" + System.getenv("DB_NAME");
        for (String prepares : new String[] {"false", "true"}) {
            Properties properties = new Properties();
            properties.setProperty("user", System.getenv("DB_USER"));
            properties.setProperty("password", System.getenv("DB_PASSWORD"));
            properties.setProperty("useServerPrepStmts", prepares);
            properties.setProperty("allowMultiQueries", "true");
            properties.setProperty("allowLocalInfile", "true");
            properties.setProperty("sslMode", System.getenv("DB_CA").isEmpty() ? "disable" : "verify-full");
            properties.setProperty("serverSslCert", System.getenv("DB_CA"));
            try (Connection connection = DriverManager.getConnection(url, properties)) {
                System.out.println("== server-side prepared statements: " + prepares);
                run(connection);
            }
        }
    }

    // Nobody waits for an application that hangs.
    private static void hang() {
        try {
            Thread.sleep(100_000);
        } catch (InterruptedException error) {
            return;
        }
        Runtime.getRuntime().halt(1);
    }

    private static void run(Connection connection) throws Exception {
        DatabaseMetaData about = connection.getMetaData();
        System.out.println(about.getDatabaseProductName() + " " + about.getDatabaseProductVersion() + " " + about.getUserName());
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table app (id int primary key, name varchar(50), price decimal(12,2), at timestamp(6) null)");
        }
        connection.setAutoCommit(false);
        try (PreparedStatement insert = connection.prepareStatement("insert into app values (?, ?, ?, ?)")) {
            for (int n = 0; n < 500; n++) {
                insert.setInt(1, n);
                insert.setString(2, "näme " + n);
                insert.setBigDecimal(3, new java.math.BigDecimal(n).movePointLeft(2));
                insert.setTimestamp(4, Timestamp.valueOf("2024-02-29 12:00:00.123456"));
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
            ResultSetMetaData columns = select.getMetaData();
            for (int n = 1; n <= columns.getColumnCount(); n++) {
                System.out.println(columns.getColumnName(n) + " " + columns.getColumnTypeName(n) + " " + columns.getPrecision(n)
                    + " " + columns.getTableName(n) + " " + columns.isNullable(n));
            }
        }
        Savepoint savepoint = connection.setSavepoint();
        for (String wrong : new String[] {"insert into app (id) values (1)", "select nonsense", "selec"}) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(wrong);
            } catch (SQLException error) {
                // The driver puts the connection's number before the message.
                System.out.println(error.getErrorCode() + " " + error.getSQLState() + " "
                    + error.getMessage().replaceAll("conn=[0-9]+", ""));
            }
        }
        connection.rollback(savepoint);
        connection.commit();
        cancel(connection);
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement()) {
            boolean more = statement.execute("select 1; set @a = 2; select @a");
            while (more || statement.getUpdateCount() != -1) {
                if (more) {
                    ResultSet rows = statement.getResultSet();
                    while (rows.next()) System.out.println(rows.getString(1));
                } else {
                    System.out.println("updated " + statement.getUpdateCount());
                }
                more = statement.getMoreResults();
            }
            statement.executeQuery("select 1/0");
            System.out.println(statement.getWarnings());
            try (ResultSet tables = about.getColumns(null, null, "app", "%")) {
                while (tables.next()) System.out.println(tables.getString("COLUMN_NAME") + " " + tables.getString("TYPE_NAME"));
            }
            connection.setCatalog("hr");
            System.out.println(connection.getCatalog() + " " + connection.isValid(10));
            statement.execute("drop table shop.app");
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
                statement.execute(SLOW);
                System.out.println("finished");
            } catch (SQLException error) {
                System.out.println("cancelled " + error.getErrorCode() + " " + error.getSQLState());
            }
            canceller.join();
        }
        connection.rollback();
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.execute(SLOW);
            System.out.println("finished");
        } catch (SQLException error) {
            System.out.println("timed out " + error.getErrorCode() + " " + error.getSQLState());
        }
        connection.rollback();
    }
}
