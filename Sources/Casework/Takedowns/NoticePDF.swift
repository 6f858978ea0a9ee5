import CPango
import Foundation

extension Notice {
  /// The notice as a PDF file on A4 pages: Urdu is set from right to left and in Nastaliq where the font is installed.
  ///
  /// - Throws: ``CaseworkError`` with `inputOutput` where no page can be made.
  public func pdf(title: String) throws -> [UInt8] {
    var file = PDFBytes()
    return try withUnsafeMutablePointer(to: &file) { file in
      let surface = cairo_pdf_surface_create_for_stream(
        { closure, data, count in
          closure!.assumingMemoryBound(to: PDFBytes.self).pointee.bytes
            .append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
          return CAIRO_STATUS_SUCCESS
        }, file, Page.width, Page.height)
      let context = cairo_create(surface)
      defer {
        cairo_destroy(context)
        cairo_surface_destroy(surface)
      }
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, title)
      cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "muhafiz")
      try Self.set(text, on: context)
      cairo_surface_finish(surface)
      guard cairo_status(context) == CAIRO_STATUS_SUCCESS, cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS else {
        throw CaseworkError(
          .inputOutput,
          "the notice cannot be set as PDF: \(String(cString: cairo_status_to_string(cairo_status(context))))")
      }
      return file.pointee.bytes
    }
  }

  /// A4 in points, 72 to an inch.
  private enum Page {
    static let width = 595.28
    static let height = 841.89
    static let margin = 62.0
  }

  private struct PDFBytes {
    var bytes: [UInt8] = []
  }

  /// Sets the text line by line, on as many pages as it needs.
  private static func set(_ text: String, on context: OpaquePointer?) throws {
    guard let layout = pango_cairo_create_layout(context) else {
      throw CaseworkError(.inputOutput, "the notice cannot be set as PDF: no memory for a page")
    }
    defer { g_object_unref(UnsafeMutableRawPointer(layout)) }
    // Pango takes for each script the first of these that has it, or any other font that does.
    let font = pango_font_description_from_string("Noto Sans, Noto Nastaliq Urdu, Noto Sans Arabic 10.5")
    pango_layout_set_font_description(layout, font)
    pango_font_description_free(font)
    pango_layout_set_width(layout, Int32((Page.width - 2 * Page.margin) * Double(PANGO_SCALE)))
    // A URL has no spaces, and must not run off the page.
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR)
    pango_layout_set_auto_dir(layout, 1)
    pango_layout_set_text(layout, text, -1)

    let lines = pango_layout_get_iter(layout)
    defer { pango_layout_iter_free(lines) }
    var top = 0.0  // Of the page, in the layout's own measure.
    repeat {
      var extents = PangoRectangle()
      pango_layout_iter_get_line_extents(lines, nil, &extents)
      let (y, height) = (Double(extents.y) / Double(PANGO_SCALE), Double(extents.height) / Double(PANGO_SCALE))
      if y + height - top > Page.height - 2 * Page.margin {
        cairo_show_page(context)
        top = y
      }
      let baseline = Double(pango_layout_iter_get_baseline(lines)) / Double(PANGO_SCALE)
      cairo_move_to(context, Page.margin + Double(extents.x) / Double(PANGO_SCALE), Page.margin + baseline - top)
      pango_cairo_show_layout_line(context, pango_layout_iter_get_line_readonly(lines))
    } while pango_layout_iter_next_line(lines) != 0
    cairo_show_page(context)
  }
}
