// Mig-parted-spec prints as JSON how NVIDIA's own parser reads mig-parted files.
//
//	mig-parted-spec [-gpus 0x233010DE,0x20B210DE] < documents
//
// Standard input is a sequence of JSON strings, each the YAML text of one file. Each is answered by one line: either its
// "configs", in the form of mig-parted's api/spec/v1 and with the GPUs that an entry's device filter selects, or the
// "error" for which mig-parted refuses it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	v1 "github.com/NVIDIA/mig-parted/api/spec/v1"
	"github.com/NVIDIA/mig-parted/pkg/types"
	"sigs.k8s.io/yaml"
)

type entry struct {
	v1.MigConfigSpec
	Selects []string `json:"selects"`
}

type answer struct {
	Configs map[string][]entry `json:"configs"`
	Error   string             `json:"error,omitempty"`
}

func main() {
	gpus := flag.String("gpus", "", "PCI device ids, separated by commas, that device filters are asked about")
	version := flag.Bool("version", false, "print the version of mig-parted whose parser this is")
	flag.Parse()
	if *version {
		fmt.Println("parser of mig-parted", partedVersion())
		return
	}
	if err := run(strings.FieldsFunc(*gpus, func(r rune) bool { return r == ',' })); err != nil {
		fmt.Fprintln(os.Stderr, "mig-parted-spec:", err)
		os.Exit(1)
	}
}

func run(gpus []string) error {
	documents, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var document string
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answered, err := read(document, gpus)
		if err != nil {
			return err
		}
		if err := answers.Encode(answered); err != nil {
			return err
		}
	}
}

// read does what mig-parted's ParseConfigFile does; an error is about the GPUs asked for, never about the document.
func read(document string, gpus []string) (answer, error) {
	var spec v1.Spec
	if err := yaml.Unmarshal([]byte(document), &spec); err != nil {
		return answer{Error: err.Error()}, nil
	}
	configs := map[string][]entry{}
	for name, specs := range spec.MigConfigs {
		for _, one := range specs {
			selected := []string{}
			for _, gpu := range gpus {
				id, err := types.NewDeviceIDFromString(gpu)
				if err != nil {
					return answer{}, err
				}
				if one.MatchesDeviceFilter(id) {
					selected = append(selected, gpu)
				}
			}
			configs[name] = append(configs[name], entry{one, selected})
		}
	}
	return answer{Configs: configs}, nil
}

func partedVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/NVIDIA/mig-parted" {
				return module.Version
			}
		}
	}
	return "unknown"
}
