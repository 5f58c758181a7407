package otel_test

import (
	"fmt"
	"log"
	"os"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/otel"
)

func ExampleAttributes() {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	info, err := tree.Info(os.Getpid())
	if err != nil {
		log.Fatal(err) // or an IncompleteError, beside what is known
	}
	set := attribute.NewSet(otel.Attributes(info)...)
	pid, _ := set.Value(semconv.ProcessPIDKey)
	parent, _ := set.Value(semconv.ProcessParentPIDKey)
	id, _ := set.Value(otel.ProcessIDKey)
	fmt.Println(pid.AsInt64() == int64(os.Getpid()), parent.AsInt64() == int64(os.Getppid()))
	fmt.Println(id.AsString() == info.Process.ID.String())
	// Output:
	// true true
	// true
}
