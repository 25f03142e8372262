"""What a captioner's training minimises: a file each."""
