from mig_fleet import Fleet

Fleet.from_config()
