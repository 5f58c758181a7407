package perfetto

// The numbers of fields and values of Perfetto's messages that are written,
// each group named for its message (package perfetto.protos, from
// protos/perfetto/trace/).
const (
	tracePacket = 1 // Trace.packet

	// TracePacket.
	packetClockSnapshot   = 6
	packetTimestamp       = 8
	packetSequence        = 10 // trusted_packet_sequence_id
	packetTrackEvent      = 11
	packetInternedData    = 12
	packetSequenceFlags   = 13
	packetTrackDescriptor = 60

	// TracePacket.SequenceFlags.
	stateCleared = 1 // SEQ_INCREMENTAL_STATE_CLEARED
	needsState   = 2 // SEQ_NEEDS_INCREMENTAL_STATE

	// ClockSnapshot, ClockSnapshot.Clock, BuiltinClock.
	snapshotClocks  = 1
	snapshotPrimary = 2 // primary_trace_clock
	clockID         = 1
	clockTimestamp  = 2
	clockRealtime   = 1
	clockBoottime   = 6

	// TrackDescriptor.
	trackUUID          = 1
	trackName          = 2
	trackParent        = 5
	trackCounter       = 8
	trackChildOrdering = 11
	trackRank          = 12 // sibling_order_rank
	trackDescription   = 14
	trackMerge         = 15 // sibling_merge_behavior

	// TrackDescriptor.ChildTracksOrdering, TrackDescriptor.SiblingMergeBehavior.
	chronological = 2
	explicit      = 3
	mergeNone     = 2

	// TrackEvent, TrackEvent.Type.
	eventCategory    = 3 // category_iids
	eventAnnotation  = 4 // debug_annotations
	eventType        = 9
	eventName        = 10 // name_iid
	eventTrack       = 11 // track_uuid
	eventCounter     = 30 // counter_value
	typeSliceBegin   = 1
	typeSliceEnd     = 2
	typeInstant      = 3
	typeCounterValue = 4

	// DebugAnnotation.
	annotationName   = 1 // name_iid
	annotationBool   = 2
	annotationUint   = 3
	annotationInt    = 4
	annotationString = 17 // string_value_iid

	// InternedData, and of what is in it: EventCategory, EventName,
	// DebugAnnotationName and InternedString have the same two.
	internedCategories  = 1
	internedEventNames  = 2
	internedAnnotations = 3
	internedStrings     = 29 // debug_annotation_string_values
	entryID             = 1
	entryText           = 2
)
