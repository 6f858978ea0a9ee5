DecoderLoop.run()
