"""The plugin: mig-fleet for programs in any language."""

from mig_fleet.components.serving.host import serve
from mig_fleet.components.serving.served import COMPONENTS

if __name__ == "__main__":
    serve(COMPONENTS)
