"""What a preview means for the people who approve it: read from Pulumi's JSON, shown in several formats."""
