import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.mirror.Heartbeat;
import org.apache.kafka.connect.mirror.MirrorClient;
import org.apache.kafka.connect.mirror.OffsetSync;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * What Kafka's own MirrorMaker 2 libraries read from a cluster, as a line of JSON for each question: for tests that
 * compare it with what was written. Run with Kafka's jars on the class path:
 *
 *   java -cp JARS ReadMirrorState.java BOOTSTRAP SOURCE-ALIAS GROUP [NAME=VALUE ...] [-- SOURCE-ALIAS GROUP ...]
 *
 * The names are configs of MirrorClient; `heartbeats.topic` and `offset.syncs.topic` name topics that are read raw.
 */
public final class ReadMirrorState {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  public static void main(String[] args) throws Exception {
    for (int from = 1; from < args.length; ) {
      int to = from;
      while (to < args.length && !args[to].equals("--")) to++;
      System.out.println(answer(args[0], Arrays.copyOfRange(args, from, to)));
      from = to + 1;
    }
  }

  private static String answer(String bootstrap, String[] question) throws Exception {
    String alias = question[0];
    String group = question[1];
    Map<String, Object> props = new HashMap<>();
    props.put("bootstrap.servers", bootstrap);
    for (int i = 2; i < question.length; i++) {
      int at = question[i].indexOf('=');
      props.put(question[i].substring(0, at), question[i].substring(at + 1));
    }
    String heartbeats = (String) props.remove("heartbeats.topic");
    String offsetSyncs = (String) props.remove("offset.syncs.topic");
    List<String> members = new ArrayList<>();
    try (MirrorClient client = new MirrorClient(props)) {
      members.add(member("remoteConsumerOffsets", offsets(client.remoteConsumerOffsets(group, alias, TIMEOUT))));
      members.add(member("checkpointsTopic", text(client.replicationPolicy().checkpointsTopic(alias))));
      members.add(member("offsetSyncsTopic", text(client.replicationPolicy().offsetSyncsTopic(alias))));
      members.add(member("remoteTopics", texts(client.remoteTopics(alias))));
    }
    members.add(member("translateOffsets", offsets(RemoteClusterUtils.translateOffsets(props, alias, group, TIMEOUT))));
    List<String> groups = new ArrayList<>();
    var all = RemoteClusterUtils.translateOffsets(props, alias, Pattern.compile(".*"), TIMEOUT);
    for (String each : new TreeSet<>(all.keySet())) groups.add(member(each, offsets(all.get(each))));
    members.add(member("translateOffsetsOfAll", "{" + String.join(",", groups) + "}"));
    members.add(member("upstreamClusters", texts(RemoteClusterUtils.upstreamClusters(props))));
    members.add(member("heartbeatTopics", texts(RemoteClusterUtils.heartbeatTopics(props))));
    members.add(member("checkpointTopics", texts(RemoteClusterUtils.checkpointTopics(props))));
    members.add(member("replicationHops", String.valueOf(RemoteClusterUtils.replicationHops(props, alias))));
    if (heartbeats != null) members.add(member("heartbeats", entries(bootstrap, heartbeats, ReadMirrorState::heartbeat)));
    if (offsetSyncs != null) members.add(member("offsetSyncs", entries(bootstrap, offsetSyncs, ReadMirrorState::sync)));
    return "{" + String.join(",", members) + "}";
  }

  private static String heartbeat(ConsumerRecord<byte[], byte[]> record) {
    Heartbeat read = Heartbeat.deserializeRecord(record);
    return "[" + text(read.sourceClusterAlias()) + "," + text(read.targetClusterAlias()) + "," + read.timestamp() + "]";
  }

  private static String sync(ConsumerRecord<byte[], byte[]> record) {
    OffsetSync read = OffsetSync.deserializeRecord(record);
    TopicPartition of = read.topicPartition();
    return "[" + text(of.topic()) + "," + of.partition() + "," + read.upstreamOffset() + "," + read.downstreamOffset()
        + "]";
  }

  /** Every record of partition 0, in order. */
  private static String entries(
      String bootstrap, String topic, Function<ConsumerRecord<byte[], byte[]>, String> read) {
    List<String> found = new ArrayList<>();
    TopicPartition partition = new TopicPartition(topic, 0);
    try (var consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", bootstrap), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end)
        for (var record : consumer.poll(Duration.ofSeconds(1))) found.add(read.apply(record));
    }
    return "[" + String.join(",", found) + "]";
  }

  private static String offsets(Map<TopicPartition, OffsetAndMetadata> offsets) {
    List<String> lines = new ArrayList<>();
    offsets.forEach(
        (of, at) ->
            lines.add(
                "[" + text(of.topic()) + "," + of.partition() + "," + at.offset() + "," + text(at.metadata()) + "]"));
    lines.sort(null);
    return "[" + String.join(",", lines) + "]";
  }

  private static String texts(Collection<String> all) {
    return "[" + String.join(",", new TreeSet<>(all).stream().map(ReadMirrorState::text).toList()) + "]";
  }

  private static String member(String name, String json) {
    return text(name) + ":" + json;
  }

  private static String text(String plain) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : plain.toCharArray()) {
      if (c >= ' ' && c <= '~' && c != '"' && c != '\\') json.append(c);
      else json.append(String.format("\\u%04x", (int) c));
    }
    return json.append('"').toString();
  }
}
