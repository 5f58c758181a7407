package clickhouse

var linksTable = table{
	name: "links",
	columns: []column{
		{"host", word, packed, "machine-id(5) of the host", nil},
		{"boot", word, packed, "boot ID of the host", nil},
		{"id", keyKind, packed, "a process that other processes have among their ancestors", nil},
		{"instead", flag, packed, "what others have as above it does not hold any more", nil},
		{"version", number, inSteps, "number of the batch, which grows", nil},
		{"seen", wallKind, inSteps, "when that batch was made", nil},
		{"pid", integer, narrow, "its ID as the creator of another one was named", nil},
		{"start", number, inSteps, "", nil},
		{"inode", number, narrow, "", nil},
		{"precision", small, packed, "", nil},
		{"above", keys, packed, "ids of those above it, where the ancestors of others end with it; none where it is known by its ID alone", nil},
	},
	version: "version",
	order:   "host, boot, id, instead",
}

var marksTable = table{
	name: "marks",
	columns: []column{
		{"host", word, packed, "machine-id(5) of the host", nil},
		{"boot", word, packed, "boot ID of the host", nil},
		{"batch", number, packed, "number of the last batch", nil},
		{"now", number, packed, "its instant", nil},
		{"seen", wallKind, packed, "when it was made by the wall clock", nil},
		{"host_name", word, packed, "what the host is called", nil},
	},
	version: "batch",
	order:   "host, boot",
}

var clocksTable = table{
	name: "clocks",
	columns: []column{
		{"host", word, packed, "machine-id(5) of the host", nil},
		{"boot", word, packed, "boot ID of the host", nil},
		{"since", number, inSteps, "instant from which on", nil},
		{"ahead", integer, inSteps, "the wall clock was ahead of the boot clock by as many nanoseconds", nil},
	},
	order: "host, boot, since",
	lasts: true, // they are few
}

var gapsTable = table{
	name: "gaps",
	columns: []column{
		{"host", word, packed, "machine-id(5) of the host", nil},
		{"boot", word, packed, "boot ID of the host", nil},
		{"since", number, inSteps, "first instant of which something is missing", nil},
		{"until", number, inSteps, "last instant", nil},
		{"reason", word, packed, "why it is missing", nil},
		{"lost", number, narrow, "how many things, 0 where that is not known", nil},
		{"began", wallKind, inSteps, "first instant by the wall clock", nil},
		{"ended", wallKind, inSteps, "last instant by the wall clock", nil},
		{"seen", wallKind, inSteps, "when it was told of", nil},
	},
	order: "host, boot, since, until, reason, lost",
}

var containersTable = table{
	name: "containers",
	columns: []column{
		{"host", word, packed, "machine-id(5) of the host that told of it", nil},
		{"id", text, packed, "ID of the container", nil},
		{"version", number, packed, "number of the batch that told of it", nil},
		{"seen", wallKind, packed, "when that was made", nil},
		{"runtime", word, packed, "", nil},
		{"name", text, packed, "", nil},
		{"image", word, packed, "", nil},
		{"pod", text, packed, "UID of the pod", nil},
		{"pod_name", text, packed, "", nil},
		{"namespace", word, packed, "of Kubernetes", nil},
		{"workload", word, packed, "", nil},
		{"service", word, packed, "of Compose", nil},
		{"project", word, packed, "of Compose", nil},
	},
	version: "version",
	order:   "host, id",
}
