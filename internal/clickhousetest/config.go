package clickhousetest

import "text/template"

var config = template.Must(template.New("config.xml").Parse(`<?xml version="1.0"?>
<yandex>
	<logger>
		<level>{{if .Cluster}}debug{{else}}information{{end}}</level>
		<console>1</console>
	</logger>
	<listen_host>127.0.0.1</listen_host>
	<tcp_port>{{.TCP}}</tcp_port>
	<http_port>{{.HTTP}}</http_port>
	<interserver_http_host>127.0.0.1</interserver_http_host>
	<interserver_http_port>{{.Inter}}</interserver_http_port>
	<path>{{.Data}}/</path>
	<tmp_path>{{.Data}}/tmp/</tmp_path>
	<users_config>users.xml</users_config>
	<default_profile>default</default_profile>
	<default_database>default</default_database>
	<timezone>UTC</timezone>
	<mark_cache_size>268435456</mark_cache_size>
{{- with .Cluster}}
	<zookeeper>
		<node><host>127.0.0.1</host><port>{{.ZooKeeper}}</port></node>
		<session_timeout_ms>15000</session_timeout_ms>
	</zookeeper>
	<merge_tree>
		<zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period>
	</merge_tree>
	<remote_servers>
		<{{.Name}}>
{{- range .Shards}}
			<shard>
				<internal_replication>true</internal_replication>
{{- range .}}
				<replica><host>127.0.0.1</host><port>{{.}}</port></replica>
{{- end}}
			</shard>
{{- end}}
		</{{.Name}}>
	</remote_servers>
	<macros>
		<cluster>{{.Name}}</cluster>
		<shard>{{$.Shard}}</shard>
		<replica>{{$.Replica}}</replica>
	</macros>
	<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
{{- end}}
</yandex>
`))

// todaysConfig makes libchdb the only node of a cluster. The port is only what
// tells it that a node of the cluster is itself. The cluster [CopyingName] is there to
// be refused.
var todaysConfig = template.Must(template.New("config.xml").Parse(`<?xml version="1.0"?>
<clickhouse>
	<tcp_port>9000</tcp_port>
	<zookeeper>
		<node><host>127.0.0.1</host><port>{{.ZooKeeper}}</port></node>
	</zookeeper>
	<remote_servers>
		<{{.Name}}>
			<shard>
				<internal_replication>true</internal_replication>
				<replica><host>127.0.0.1</host><port>9000</port></replica>
			</shard>
		</{{.Name}}>
		<` + CopyingName + `>
			<shard>
				<replica><host>127.0.0.1</host><port>9000</port></replica>
				<replica><host>127.0.0.2</host><port>9000</port></replica>
			</shard>
		</` + CopyingName + `>
	</remote_servers>
	<macros>
		<cluster>{{.Name}}</cluster>
		<shard>1</shard>
		<replica>1</replica>
	</macros>
</clickhouse>
`))

var users = template.Must(template.New("users.xml").Parse(`<?xml version="1.0"?>
<yandex>
	<profiles>
		<default>
			<poll_interval>1</poll_interval><!-- seconds until idle connections see SIGTERM -->
		</default>
	</profiles>
	<quotas><default/></quotas>
	<users>
		<default>
			<password></password>
			<networks><ip>127.0.0.1</ip></networks>
			<profile>default</profile>
			<quota>default</quota>
		</default>
	</users>
</yandex>
`))
