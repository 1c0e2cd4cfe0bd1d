"""People in the data: find them, treat what tells about them, ask and learn with bounded loss of privacy."""
