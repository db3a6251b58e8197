import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/** Runs the statements of a file on a MiniCluster, and waits for the last one: the SQL client needs a gateway that the package lacks. */
public class RunSql {
    public static void main(String[] arguments) throws Exception {
        Configuration settings = new Configuration();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] setting = line.split("=", 2);
            settings.setString(setting[0].trim(), setting[1].trim());
        }
        EnvironmentSettings streaming = EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build();
        TableEnvironment tables = TableEnvironment.create(streaming);
        TableResult last = null;
        for (String statement : Files.readString(Path.of(arguments[1])).split(";;")) {
            if (!statement.isBlank()) {
                last = tables.executeSql(statement.trim());
            }
        }
        if (last != null) {
            last.await();
        }
    }
}
