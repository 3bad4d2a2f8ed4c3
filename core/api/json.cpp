namespace hopwise::api {}
