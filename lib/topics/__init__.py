"""Topics of news articles: reading, cleaning, LDA, quality. The only home of gensim and nltk."""
