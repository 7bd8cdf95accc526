# sources follow
